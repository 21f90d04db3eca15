/**
 * AlexNet as LPIPS sees it: five convolutions, each with the rectifier, and what a change of their
 * features means for the images.
 *
 * @module
 */
import { Graph, type Tensor } from "../../autograd/graph.ts";
import { add } from "../../autograd/ops/add.ts";
import { conv2d } from "../../autograd/ops/conv2d.ts";
import { mul } from "../../autograd/ops/mul.ts";
import { maxPool2d } from "../../autograd/ops/pool.ts";
import { sum } from "../../autograd/ops/reduce.ts";
import { relu as rectified } from "../../autograd/ops/relu.ts";
import { resizeBilinear } from "../../autograd/ops/resize_bilinear.ts";
import type { Arena } from "../../device/arena.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { Program } from "../../device/program.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { conv2dForward, conv2dShape } from "../../kernels/conv2d/conv2d.ts";
import { maxPoolForward } from "../../kernels/layout/pool.ts";
import { definePointwise, pointwise } from "../../kernels/shared/pointwise.ts";

/** One convolution of AlexNet; `pool` says that its input is pooled first. */
export interface Layer {
  readonly slice: string;
  readonly index: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly pool: boolean;
}

/** See the module. */
export const LAYERS: readonly Layer[] = [
  [1, 0, 3, 64, 11, 4, 2, false],
  [2, 3, 64, 192, 5, 1, 2, true],
  [3, 6, 192, 384, 3, 1, 1, true],
  [4, 8, 384, 256, 3, 1, 1, false],
  [5, 10, 256, 256, 3, 1, 1, false],
].map(([slice, index, inputs, outputs, kernel, stride, padding, pool]) =>
  ({ slice: `slice${slice}`, index, inputs, outputs, kernel, stride, padding, pool }) as Layer
);

const POOL = { kernel: 3, stride: 2, padding: 0 };

const relu = definePointwise({ name: "relu", inputs: ["x"], result: "max(x, V(0.0))" });

/** Records a layer of features. */
export function recordLayer(capture: Capture, x: TensorRef, layer: Layer, arena: Arena): TensorRef {
  const { slice, stride, padding, pool } = layer;
  const pooled = pool ? maxPoolForward(capture, x, POOL).result : x;
  const weight = arena.get(`${slice}.weight`);
  const shape = conv2dShape(pooled.shape, weight, { stride, padding: [padding, padding] });
  const bias = arena.get(`${slice}.bias`);
  return pointwise(
    capture,
    relu,
    { x: conv2dForward(capture, pooled, weight, shape, { bias }) },
    {},
  );
}

/** A program that takes gradients of features to those of images. */
export interface GradientProgram {
  readonly program: Program;
  /** Its result, of the images' shape. */
  readonly gradient: TensorRef;
}

/**
 * Plans the backward pass. Its inputs are `images` of `shape`, standardised, and `slope0` to `slope4`,
 * the gradients with respect to the features of the layers.
 *
 * @param sides What AlexNet sees the images as, `[height, width]`.
 */
export async function planGradients(
  gpu: Gpu,
  arena: Arena,
  shape: readonly number[],
  sides: readonly [number, number],
): Promise<GradientProgram> {
  const capture = new Capture(gpu, "LPIPS's gradient");
  const graph = new Graph(capture);
  const images = graph.variable(capture.input("images", shape));
  const asIs = sides[0] === shape[1] && sides[1] === shape[2];
  let x: Tensor = asIs ? images : resizeBilinear(images, sides), total: Tensor | undefined;
  for (const [i, { slice, stride, padding, pool }] of LAYERS.entries()) {
    if (pool) x = maxPool2d(x, POOL);
    const weight = graph.constant(arena.get(`${slice}.weight`));
    const bias = graph.constant(arena.get(`${slice}.bias`));
    x = rectified(conv2d(x, weight, { stride, padding: [padding, padding], bias }));
    const part = sum(mul(x, graph.constant(capture.input(`slope${i}`, x.shape))));
    total = total ? add(total, part) : part;
  }
  const gradient = capture.keep(graph.backward(total!).get(images)!);
  return { program: await capture.plan(), gradient };
}
