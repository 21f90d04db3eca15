/**
 * Sizes of a 2-D convolution over channels-last images and their check.
 *
 * @module
 */
import { formatShape, type TensorRef } from "../../device/tensor.ts";

/** Stride and padding of a convolution. */
export interface Conv2dOptions {
  /** Step between windows, the same along both axes; 1 unless given. */
  readonly stride?: number;
  /** Zeros added on each side, `[vertical, horizontal]`; `[0, 0]` unless given. */
  readonly padding?: readonly [number, number];
  /** Zeros added below and to the right, where they are others than those above and to the left. */
  readonly paddingAfter?: readonly [number, number];
}

/** Every size of a convolution `[n, h, w, ci] -> [n, oh, ow, co]`. */
export interface Conv2dShape {
  readonly n: number;
  readonly h: number;
  readonly w: number;
  readonly ci: number;
  readonly co: number;
  readonly kh: number;
  readonly kw: number;
  readonly stride: number;
  readonly py: number;
  readonly px: number;
  readonly oh: number;
  readonly ow: number;
}

/**
 * The sizes of a convolution.
 *
 * @param xShape `[n, h, w, ci]`.
 * @param weight `[kh, kw, ci, co]`.
 * @throws {RangeError} When the shapes do not fit together.
 */
export function conv2dShape(
  xShape: readonly number[],
  weight: TensorRef,
  { stride = 1, padding = [0, 0], paddingAfter = padding }: Conv2dOptions,
): Conv2dShape {
  const [n = 0, h = 0, w = 0, ci = 0] = xShape;
  const [kh = 0, kw = 0, wci = 0, co = 0] = weight.shape;
  const [py, px] = padding;
  const oh = Math.floor((h + py + paddingAfter[0] - kh) / stride) + 1;
  const ow = Math.floor((w + px + paddingAfter[1] - kw) / stride) + 1;
  const fits = xShape.length === 4 && weight.shape.length === 4 && ci === wci && oh > 0 && ow > 0 &&
    stride >= 1 && py >= 0 && px >= 0 && paddingAfter.every((zeros) => zeros >= 0);
  if (!fits) {
    throw new RangeError(
      `Cannot convolve: x must be [N, H, W, ${wci}] and at least as large as the kernel after padding, got x ${
        formatShape(xShape)
      }, weight ${formatShape(weight.shape)}, stride ${stride}, padding ${formatShape(padding)}`,
    );
  }
  return { n, h, w, ci, co, kh, kw, stride, py, px, oh, ow };
}

/** Whether the convolution is a matrix product over pixels. */
export function isPointwiseConv(shape: Conv2dShape): boolean {
  return shape.kh === 1 && shape.kw === 1 && shape.stride === 1 && shape.py === 0 && shape.px === 0;
}

/** Multiply-adds of the convolution, and of either gradient; padding counts like pixels. */
export function convMultiplyAdds({ n, oh, ow, ci, co, kh, kw }: Conv2dShape): number {
  return n * oh * ow * kh * kw * ci * co;
}

/** The sizes as uniform parameters. */
export const SHAPE_PARAMS = {
  n: "u32",
  h: "u32",
  w: "u32",
  ci: "u32",
  co: "u32",
  kh: "u32",
  kw: "u32",
  stride: "u32",
  py: "u32",
  px: "u32",
  oh: "u32",
  ow: "u32",
} as const;
