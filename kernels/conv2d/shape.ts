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
  /**
   * Channels of the first of two tensors that x, and with it its gradient, is joined of (see
   * `TensorRef.seam`), a multiple of four as the others are; only of a convolution for which
   * {@linkcode isPointwiseConv} holds.
   */
  readonly seam?: number | undefined;
  /**
   * Whether x is `[n, h / 2, w / 2, ci]` and each of its pixels is read as four, as after upsampling by
   * nearest neighbours; false unless given.
   */
  readonly doubled?: boolean;
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
  return !shape.doubled && shape.kh === 1 && shape.kw === 1 && shape.stride === 1 &&
    shape.py === 0 && shape.px === 0;
}

/** Multiply-adds of the convolution, and of either gradient; padding counts like pixels. */
export function convMultiplyAdds({ n, oh, ow, ci, co, kh, kw }: Conv2dShape): number {
  return n * oh * ow * kh * kw * ci * co;
}

/**
 * Says where x is joined.
 *
 * @throws {RangeError} When the convolution is not one of 1x1.
 */
export function withSeam(shape: Conv2dShape, seam: number | undefined): Conv2dShape {
  if (seam === undefined) return shape;
  if (!isPointwiseConv(shape)) {
    throw new RangeError(
      `Cannot convolve: of two joined tensors the kernel must be 1x1 without stride and padding, got ${shape.kh}x${shape.kw}, stride ${shape.stride}, padding ${
        formatShape([shape.py, shape.px])
      }; concatenate them`,
    );
  }
  return { ...shape, seam };
}

/** Types of the sizes as uniform parameters. */
export function shapeTypes(joined: boolean): Record<string, "u32"> {
  return joined ? { ...SHAPE_PARAMS, seam: "u32" } : SHAPE_PARAMS;
}

/** The sizes as uniform parameters. */
export function shapeValues({ seam, doubled: _, ...sizes }: Conv2dShape): Record<string, number> {
  return seam === undefined ? sizes : { ...sizes, seam };
}

/**
 * WGSL: the first pixel of a line of x, and one in it, where lines are counted through all images and lines
 * and columns may be those of the image that is twice as large.
 */
export function pixelText(doubled: boolean) {
  return doubled
    ? {
      line: (line: string, width: string) => `((${line}) >> 1u) * (${width} >> 1u)`,
      column: (column: string) => `((${column}) >> 1u)`,
    }
    : {
      line: (line: string, width: string) => `(${line}) * ${width}`,
      column: (column: string) => column,
    };
}

/**
 * WGSL: `joinedAt(pixel, channel)`, the index of a float of x or its gradient, the `channel` of which may
 * be the first of a vector.
 */
export const JOINED_AT = `fn joinedAt(pixel: u32, channel: u32) -> u32 {
  let first = channel < params.seam;
  let width = select(params.ci - params.seam, params.seam, first);
  let start = select(params.n * params.h * params.w * params.seam - params.seam, 0u, first);
  return start + pixel * width + channel;
}
`;

/** Types of the sizes as uniform parameters, without a seam. */
const SHAPE_PARAMS = {
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
