/**
 * Transposed convolution: what the gradient of a convolution with respect to its input computes, as a
 * layer of its own ("deconvolution", Zeiler et al. 2010):
 *
 *     y = conv'(x, weight) + bias,   dx = conv(dy, weight),   dweight and dbias as of that convolution
 *
 * where conv goes from images of the output's size to those of the input's.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { formatShape, type TensorRef } from "../../device/tensor.ts";
import { gatherConv } from "./gather.ts";
import { type Conv2dShape, conv2dShape } from "./shape.ts";

/** Stride and padding of the convolution that is transposed. */
export interface Conv2dTransposedOptions {
  /** Pixels from one place of the kernel to the next, on both axes. */
  readonly stride: number;
  /** Pixels that are cut off on each side, `[vertical, horizontal]`. */
  readonly padding: readonly [number, number];
}

/**
 * The convolution that is transposed.
 *
 * @param xShape `[n, h, w, ci]`
 * @param weight `[kh, kw, co, ci]`
 * @throws {RangeError} When the shapes do not fit together.
 */
export function transposedShape(
  xShape: readonly number[],
  weight: TensorRef,
  { stride, padding: [py, px] }: Conv2dTransposedOptions,
): Conv2dShape {
  const [n = 0, h = 0, w = 0, ci = 0] = xShape;
  const [kh = 0, kw = 0, co = 0, inputs = 0] = weight.shape;
  if (xShape.length !== 4 || inputs !== ci) {
    throw new RangeError(
      `Cannot convolve transposed: x must be [N, H, W, ${inputs}], got ${formatShape(xShape)}`,
    );
  }
  const large = [n, (h - 1) * stride + kh - 2 * py, (w - 1) * stride + kw - 2 * px, co];
  return conv2dShape(large, weight, { stride, padding: [py, px] });
}

/**
 * `[n, h, w, ci]` to `[n, h', w', co]`.
 *
 * @param blocked As of {@linkcode conv2dForward}.
 */
export function conv2dTransposedForward(
  capture: Capture,
  x: TensorRef,
  weight: TensorRef,
  shape: Conv2dShape,
  bias?: TensorRef,
  blocked = false,
): TensorRef {
  if (bias && formatShape(bias.shape) !== formatShape([shape.ci])) {
    throw new RangeError(
      `Cannot convolve transposed: bias must have shape ${formatShape([shape.ci])}, got ${
        formatShape(bias.shape)
      }`,
    );
  }
  return gatherConv(capture, "input", x, weight, shape, {
    epilogue: { bias },
    blocked,
    label: "conv2d transposed",
  });
}
