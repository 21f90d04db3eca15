import { conv2dForward, conv2dWeightGrad } from "../../kernels/conv2d/conv2d.ts";
import {
  conv2dTransposedForward,
  type Conv2dTransposedOptions,
  transposedShape,
} from "../../kernels/conv2d/transposed.ts";
import { sumMiddle } from "../../kernels/reduce/reduce.ts";
import type { Tensor } from "../tensor.ts";

/** Choices of {@linkcode conv2dTransposed}. */
export interface Conv2dTransposedArgs extends Conv2dTransposedOptions {
  /** `[co]` */
  readonly bias?: Tensor;
  /** Whether the output and the gradient of x are summed in blocks, as of a convolution. */
  readonly blocked?: boolean;
}

/**
 * 2-D transposed convolution: the gradient of a convolution with respect to its input.
 *
 * @param x `[n, h, w, ci]`
 * @param weight `[kh, kw, co, ci]`
 * @returns `[n, (h - 1) stride + kh - 2 padding, ..., co]`
 * @throws {RangeError} When the shapes do not fit.
 */
export function conv2dTransposed(
  x: Tensor,
  weight: Tensor,
  { bias, blocked, ...options }: Conv2dTransposedArgs,
): Tensor {
  const { capture } = x.graph;
  const shape = transposedShape(x.shape, weight.ref, options);
  return x.graph.record({
    op: "conv2dTransposed",
    inputs: bias ? [x, weight, bias] : [x, weight],
    output: conv2dTransposedForward(capture, x.ref, weight.ref, shape, bias?.ref, blocked),
    backward: (dy, [needsX, needsWeight, needsBias]) => {
      const { n, h, w, ci } = shape;
      return [
        needsX ? conv2dForward(capture, dy, weight.ref, shape, {}, blocked) : null,
        needsWeight ? conv2dWeightGrad(capture, dy, x.saved(), shape).weight : null,
        ...(bias ? [needsBias ? sumMiddle(capture, dy, [1, n * h * w, ci]) : null] : []),
      ];
    },
  });
}
