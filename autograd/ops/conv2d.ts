import { BYTES } from "../../device/element.ts";
import { reshape, sizeOf, slice, type TensorRef } from "../../device/tensor.ts";
import {
  conv2dForward,
  conv2dInputGrad,
  type Conv2dOptions,
  type Conv2dShape,
  conv2dShape,
  conv2dWeightGrad,
  isPointwiseConv,
  withSeam,
} from "../../kernels/conv2d/conv2d.ts";
import { parallelLinearForward } from "../../kernels/matmul/parallel_linear.ts";
import { sumMiddle, sumMiddleInto, sumRowsInParts } from "../../kernels/reduce/reduce.ts";
import type { Tensor } from "../tensor.ts";
import type { BackwardRule } from "../rule.ts";

/** What a convolution adds to its sum, and how it steps. */
export interface Conv2dArgs extends Conv2dOptions {
  /** `[co]` */
  readonly bias?: Tensor | undefined;
  /** `[n, C]`, of which `co` columns are added to every pixel of an image: the time embedding. */
  readonly perImage?: Tensor | undefined;
  /** The first of these columns; 0 unless given. */
  readonly perImageStart?: number | undefined;
  /** Of the output's shape. */
  readonly residual?: Tensor | undefined;
  /**
   * Whether the output and the gradient of x are summed in blocks, whose rounding errors are several
   * times smaller, for networks that show them; false unless given. Not of f16, nor of matrix products
   * (a 1x1 convolution that adds no more than a bias).
   */
  readonly blocked?: boolean | undefined;
  /**
   * Whether each pixel of x is read as four, twice as high and wide, as after
   * {@linkcode upsampleNearest2x}; false unless given.
   */
  readonly doubled?: boolean | undefined;
}

/**
 * 2-D convolution (cross-correlation) with a fused sum.
 *
 * @param x `[n, h, w, ci]`; of {@linkcode join} where the kernel is 1x1.
 * @param weight `[kh, kw, ci, co]`
 * @returns `[n, oh, ow, co]`
 * @throws {RangeError} When the shapes do not fit.
 */
export function conv2d(x: Tensor, weight: Tensor, args: Conv2dArgs = {}): Tensor {
  const { capture } = x.graph;
  const { bias, perImage, perImageStart = 0, residual, doubled = false } = args;
  const [n = 0, h = 0, w = 0, ci = 0] = x.shape;
  const read = doubled ? [n, 2 * h, 2 * w, ci] : x.shape;
  const shape = withSeam({ ...conv2dShape(read, weight.ref, args), doubled }, x.ref.seam);
  const output = conv2dForward(capture, x.ref, weight.storedAs(x.ref.dtype), shape, {
    bias: bias?.ref,
    perImage: perImage?.ref,
    perImageStart,
    residual: residual?.ref,
  }, args.blocked);
  const inputs = [x, weight, ...addedTo(args)];
  const backward = rule(x, weight, shape, args);
  return x.graph.record({ op: "conv2d", inputs, output, backward });
}

/**
 * Several 1x1 convolutions of one tensor, computed together.
 *
 * @param x `[n, h, w, ci]`
 * @param layers Weights `[1, 1, ci, co]` and biases `[co]`.
 * @returns `[n, h, w, co]` each.
 * @throws {RangeError} When the shapes do not fit.
 */
export function pointwiseConvs(
  x: Tensor,
  layers: readonly { readonly weight: Tensor; readonly bias: Tensor }[],
): Tensor[] {
  const { capture } = x.graph;
  const shapes = layers.map(({ weight }) => conv2dShape(x.shape, weight.ref, {}));
  const rows = sizeOf(x.shape.slice(0, 3));
  // Each output must begin where a binding may.
  const alignment = capture.gpu.limits.minStorageBufferOffsetAlignment / BYTES[x.ref.dtype];
  const together = shapes.every((shape) =>
    isPointwiseConv(shape) && rows * shape.co % alignment === 0
  );
  if (!together) return layers.map(({ weight, bias }) => conv2d(x, weight, { bias }));
  const all = parallelLinearForward(
    capture,
    reshape(x.ref, [rows, x.shape[3] ?? 0]),
    layers.map(({ weight, bias }, i) => {
      const { ci, co } = shapes[i]!;
      return { weight: reshape(weight.ref, [ci, co]), bias: bias.ref };
    }),
    { apart: true },
  );
  let start = 0;
  return layers.map(({ weight, bias }, i) => {
    const { n, h, w, co } = shapes[i]!;
    const output = slice(all, start, [n, h, w, co]);
    start += rows * co;
    const backward = rule(x, weight, shapes[i]!, { bias });
    return x.graph.record({ op: "conv2d", inputs: [x, weight, bias], output, backward });
  });
}

/** The gradients of a convolution whose inputs are x, weight and what `args` adds, in that order. */
function rule(x: Tensor, weight: Tensor, shape: Conv2dShape, args: Conv2dArgs): BackwardRule {
  const { capture } = x.graph;
  const { bias, perImage, perImageStart = 0, residual } = args;
  const { n, oh, ow, co } = shape;
  const perPixel = [n, oh * ow, co] as const;
  return (dy, [needsX, needsWeight], absorb) => {
    const made = needsWeight ? conv2dWeightGrad(capture, x.saved(), dy, shape) : null;
    const dBias = () => made?.bias ?? sumRowsInParts(capture, dy, [n * oh * ow, co]);
    const dPerImage = () =>
      perImage?.shape[1] === co
        ? sumMiddle(capture, dy, perPixel)
        : (total: TensorRef) => sumMiddleInto(capture, dy, perPixel, total, perImageStart);
    const dx = needsX
      ? conv2dInputGrad(capture, weight.storedAs(dy.dtype), dy, shape, absorb(0)[0], args.blocked)
      : null;
    return [
      dx,
      made?.weight ?? null,
      ...(bias ? [bias.needsGrad ? dBias() : null] : []),
      ...(perImage ? [perImage.needsGrad ? dPerImage() : null] : []),
      ...(residual ? [dy] : []),
    ];
  };
}

/** The tensors that are added, in the order of an op's inputs. */
function addedTo({ bias, perImage, residual }: Conv2dArgs): Tensor[] {
  return [bias, perImage, residual].filter((tensor) => tensor !== undefined);
}
