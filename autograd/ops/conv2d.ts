import {
  conv2dForward,
  conv2dInputGrad,
  type Conv2dOptions,
  conv2dShape,
  conv2dWeightGrad,
} from "../../kernels/conv2d/conv2d.ts";
import { sumMiddle, sumMiddleInto } from "../../kernels/reduce.ts";
import type { Tensor } from "../graph.ts";

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
  const { bias, perImage, perImageStart = 0, residual } = args;
  const shape = conv2dShape(x.shape, weight.ref, args);
  const { n, oh, ow, co } = shape;
  const added = [bias, perImage, residual].filter((tensor) => tensor !== undefined);
  const output = conv2dForward(capture, x.ref, weight.ref, shape, {
    bias: bias?.ref,
    perImage: perImage?.ref,
    perImageStart,
    residual: residual?.ref,
  });
  return x.graph.record({
    op: "conv2d",
    inputs: [x, weight, ...added],
    output,
    backward: (dy, [needsX, needsWeight], { absorb, defer, shared }) => {
      const sums = needsWeight ? conv2dWeightGrad(capture, x.saved(), dy, shape) : null;
      const dBias = () => {
        if (!bias?.needsGrad) return null;
        return sums?.bias ? defer(2, sums.bias) : sumMiddle(capture, dy, [1, n * oh * ow, co]);
      };
      const dPerImage = () => {
        if (!perImage?.needsGrad) return null;
        const sizes = [n, oh * ow, co] as const;
        if (perImage.shape[1] === co) return sumMiddle(capture, dy, sizes);
        sumMiddleInto(capture, dy, sizes, shared(2 + added.indexOf(perImage)), perImageStart);
        return null;
      };
      const grads = new Map([[bias, dBias()], [perImage, dPerImage()], [residual, dy]]);
      return [
        needsX ? conv2dInputGrad(capture, weight.ref, dy, shape, absorb(0)) : null,
        sums && defer(1, sums.weight),
        ...added.map((tensor) => grads.get(tensor) ?? null),
      ];
    },
  });
}
