import { BYTES } from "../../device/element.ts";
import { TENSOR_ALIGNMENT } from "../../device/gpu.ts";
import { placeAt, reshape as reshapeRef, slice, type TensorRef } from "../../device/tensor.ts";
import { attentionBackward, attentionForward } from "../../kernels/attention/attention.ts";
import {
  conv2dInputGradOfLayers,
  conv2dShape,
  conv2dWeightGrads,
  isPointwiseConv,
} from "../../kernels/conv2d/conv2d.ts";
import { copyInto } from "../../kernels/elementwise/add.ts";
import { parallelLinearForward } from "../../kernels/matmul/parallel_linear.ts";
import type { Tensor } from "../tensor.ts";
import { attention, type AttentionArgs } from "./attention.ts";
import { pointwiseConvs } from "./conv2d.ts";
import { reshape } from "./reshape.ts";

/** Parameters of a projection. */
export interface Projection {
  /** `[1, 1, ci, co]` */
  readonly weight: Tensor;
  /** `[co]` */
  readonly bias: Tensor;
}

/**
 * {@linkcode attention} of all pixels of an image to each other, by queries, keys and values that are 1x1
 * convolutions of it.
 *
 * @param x `[n, h, w, ci]`
 * @param projections Of queries, keys and values.
 * @returns `[n, h, w, co]`
 * @throws {RangeError} When the shapes do not fit or the heads do not divide them.
 */
export function projectedAttention(
  x: Tensor,
  projections: readonly Projection[],
  args: AttentionArgs,
): Tensor {
  const [n = 0, h = 0, w = 0] = x.shape;
  const stack = stackedConvs(x, projections);
  if (stack) return stackedAttention(stack, args);
  const [q, k, v] = pointwiseConvs(x, projections)
    .map((tokens) => reshape(tokens, [n, h * w, tokens.shape[3] ?? 0]));
  const mixed = attention(q!, k!, v!, args);
  return reshape(mixed, [n, h, w, mixed.shape[2] ?? 0]);
}

/**
 * Convolutions of 1x1 to as many channels each, whose gradients of weights come out of one dispatch.
 *
 * @returns `[layers, n, h, w, co]`; undefined where the outputs differ or would not begin where a binding
 *   may.
 */
function stackedConvs(x: Tensor, layers: readonly Projection[]): Tensor | undefined {
  const { capture } = x.graph;
  const shapes = layers.map(({ weight }) => conv2dShape(x.shape, weight.ref, {}));
  const shape = shapes[0]!;
  const { n, h, w, ci, co } = shape, rows = n * h * w;
  const isAligned = rows * co * BYTES[x.ref.dtype] % TENSOR_ALIGNMENT === 0;
  if (!isAligned || shapes.some((each) => !isPointwiseConv(each) || each.co !== co)) {
    return undefined;
  }
  const all = parallelLinearForward(
    capture,
    reshapeRef(x.ref, [rows, ci]),
    layers.map(({ weight, bias }) => ({
      weight: reshapeRef(weight.ref, [ci, co]),
      bias: bias.ref,
    })),
    { apart: true },
  );
  return x.graph.record({
    op: "stackedConvs",
    inputs: [x, ...layers.flatMap(({ weight, bias }) => [weight, bias])],
    output: reshapeRef(all, [layers.length, n, h, w, co]),
    backward: (dy, [needsX, ...needs], absorb) => {
      const grads = needs.includes(true)
        ? conv2dWeightGrads(capture, x.saved(), dy, shape, layers.length)
          .flatMap(({ weight, bias }) => [weight, bias])
        : [];
      const weights = layers.map(({ weight }) => weight.storedAs(dy.dtype));
      const dx = needsX ? conv2dInputGradOfLayers(capture, weights, dy, shape, absorb(0)[0]) : null;
      return [dx, ...needs.map((needed, i) => needed ? grads[i]! : null)];
    },
  });
}

/** @param stack Queries, keys and values, `[3, n, h, w, c]`. */
function stackedAttention(stack: Tensor, { heads = 1, scale }: AttentionArgs): Tensor {
  const { capture } = stack.graph;
  const [, n = 0, h = 0, w = 0, c = 0] = stack.shape;
  const of = (ref: TensorRef, i: number) => slice(ref, i * n * h * w * c, [n, h * w, c]);
  const inputs = { q: of(stack.ref, 0), k: of(stack.ref, 1), v: of(stack.ref, 2) };
  const options = { heads, scale: scale ?? 1 / Math.sqrt(c / heads) };
  const { y, saved } = attentionForward(capture, inputs, options, stack.needsGrad);
  return stack.graph.record({
    op: "stackedAttention",
    inputs: [stack],
    output: reshapeRef(y, [n, h, w, c]),
    backward: (dy) => {
      const upstream = reshapeRef(dy, [n, h * w, c]), needs = { q: true, k: true, v: true };
      const made = attentionBackward(capture, inputs, saved, upstream, options, needs);
      const all = capture.transient(stack.shape, "attention gradients", dy.dtype);
      for (const [i, grad] of [made.dq!, made.dk!, made.dv!].entries()) {
        if (!placeAt(grad, of(all, i))) copyInto(capture, of(all, i), grad);
      }
      return [all];
    },
  });
}
