import {
  conv2dForward,
  conv2dInputGrad,
  type Conv2dOptions,
  conv2dShape,
  conv2dWeightGrad,
} from "../../kernels/conv2d/conv2d.ts";
import { sumMiddle } from "../../kernels/reduce.ts";
import type { Tensor } from "../graph.ts";

/** What a convolution adds to its sum, and how it steps. */
export interface Conv2dArgs extends Conv2dOptions {
  /** `[co]` */
  readonly bias?: Tensor | undefined;
  /** `[n, co]`, added to every pixel of an image: the time embedding. */
  readonly perImage?: Tensor | undefined;
  /** Of the output's shape. */
  readonly residual?: Tensor | undefined;
}

/**
 * 2-D convolution (cross-correlation) with a fused sum.
 *
 * @param x `[n, h, w, ci]`
 * @param weight `[kh, kw, ci, co]`
 * @returns `[n, oh, ow, co]`
 * @throws {RangeError} When the shapes do not fit.
 */
export function conv2d(x: Tensor, weight: Tensor, args: Conv2dArgs = {}): Tensor {
  const { capture } = x.graph;
  const { bias, perImage, residual } = args;
  const shape = conv2dShape(x.shape, weight.ref, args);
  const { n, oh, ow, co } = shape;
  const added = [bias, perImage, residual].filter((tensor) => tensor !== undefined);
  const output = conv2dForward(capture, x.ref, weight.ref, shape, {
    bias: bias?.ref,
    perImage: perImage?.ref,
    residual: residual?.ref,
  });
  return x.graph.record({
    op: "conv2d",
    inputs: [x, weight, ...added],
    output,
    backward: (dy, [needsX, needsWeight], { absorb, defer }) => {
      const sums = needsWeight ? conv2dWeightGrad(capture, x.saved(), dy, shape) : null;
      const dPerImage = perImage?.needsGrad ? sumMiddle(capture, dy, [n, oh * ow, co]) : null;
      const dBias = () => {
        if (!bias?.needsGrad) return null;
        if (sums?.bias) return defer(2, sums.bias);
        return sumMiddle(capture, dPerImage ?? dy, [1, dPerImage ? n : n * oh * ow, co]);
      };
      const grads = new Map([[bias, dBias()], [perImage, dPerImage], [residual, dy]]);
      return [
        needsX ? conv2dInputGrad(capture, weight.ref, dy, shape, absorb(0)) : null,
        sums && defer(1, sums.weight),
        ...added.map((tensor) => grads.get(tensor) ?? null),
      ];
    },
  });
}
