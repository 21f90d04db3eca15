/**
 * The 2-D discrete Fourier transform of every channel of images:
 *
 *     X[ky, kx] = scale sum_{y, x} x[y, x] exp(-+ 2 pi i (ky y / H + kx x / W))
 *
 * with minus forward and plus inverse. Complex tensors have a last axis of 2, real and imaginary
 * part: `[N, H, W, C, 2]`. A point is then one 8-byte load, twice as much a load as with the parts in
 * two tensors, and it is one tensor for the tape.
 *
 * Planes of up to 1024 points take one dispatch; larger ones a pass over rows and one over columns,
 * and an axis of more than 1024 points a pass for each stage.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { flatGrid } from "../shared/grid.ts";
import { fourierKernel, type FourierOutput, MAX_BLOCK } from "./kernel.ts";
import { stagesOf, twiddleTensor } from "./plan.ts";

/** Choices of a transform. */
export interface FourierOptions {
  /** Whether exponents are positive. */
  readonly inverse: boolean;
  /** Factor of the result. */
  readonly scale: number;
  /** Whether the imaginary part is left out: `[N, H, W, C]`. */
  readonly realOutput?: boolean;
}

/** Sizes of images, and whether they are complex. */
export interface FourierShape {
  readonly samples: number;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
  readonly complex: boolean;
}

/**
 * The sizes of `[N, H, W, C]` (real) or `[N, H, W, C, 2]` (complex).
 *
 * @throws {RangeError} When the shape is neither.
 */
export function fourierShape(shape: readonly number[]): FourierShape {
  const [samples = 0, height = 0, width = 0, channels = 0, parts] = shape;
  if (shape.length < 4 || shape.length > 5 || (parts ?? 2) !== 2) {
    throw new RangeError(
      `Cannot transform: the shape must be [N, H, W, C] or [N, H, W, C, 2], got ${
        formatShape(shape)
      }`,
    );
  }
  return { samples, height, width, channels, complex: parts === 2 };
}

/**
 * The transform of `x`.
 *
 * @param x `[N, H, W, C]` or `[N, H, W, C, 2]`; H and W of 1 to 65535; large prime factors are slow.
 * @returns `[N, H, W, C, 2]`, or `[N, H, W, C]` with `realOutput`.
 * @throws {RangeError} When the shape or a length is not supported.
 */
export function fourierTransform(
  capture: Capture,
  x: TensorRef,
  { inverse, scale, realOutput = false }: FourierOptions,
): TensorRef {
  return transform(capture, x, { inverse, scale, output: realOutput ? "real" : "complex" });
}

/**
 * The Hartley transform of every channel, the real less the imaginary part of the Fourier transform: real,
 * and with the scale 1 / sqrt(H W) orthonormal and its own inverse. What multiplies the frequencies k and -k
 * by one number does the same to its points.
 *
 * @param x `[N, H, W, C]`
 * @throws {RangeError} When the shape or a length is not supported.
 */
export function hartleyTransform(capture: Capture, x: TensorRef, scale: number): TensorRef {
  return transform(capture, x, { inverse: false, scale, output: "hartley" });
}

function transform(
  capture: Capture,
  x: TensorRef,
  { inverse, scale, output }: {
    readonly inverse: boolean;
    readonly scale: number;
    readonly output: FourierOutput;
  },
): TensorRef {
  const { samples, height, width, channels, complex } = fourierShape(x.shape);
  const swap = inverse;
  if (height * width <= MAX_BLOCK) {
    const pass = { lengths: [height, width], inner: channels, outer: samples };
    return record(capture, x, { ...pass, swap, scale, realInput: !complex, output });
  }
  const rows = passesOver(width, { inner: channels, outer: samples * height });
  const columns = passesOver(height, { inner: width * channels, outer: samples });
  const passes = [...rows, ...columns];
  return passes.reduce((half, pass, i) => {
    const last = i === passes.length - 1;
    return record(capture, half, {
      ...{ ...pass, swap, scale: last ? scale : 1 },
      ...{ realInput: i === 0 && !complex, output: last ? output : "complex" },
    });
  }, x);
}

/** What an axis takes: one pass, or one for each stage of a long one. */
function passesOver(length: number, around: Pick<Pass, "inner" | "outer">): Axis[] {
  const pass = { lengths: [length], ...around };
  if (length <= MAX_BLOCK) return [pass];
  return stagesOf(length).map((_, stage) => ({ ...pass, stage }));
}

type Axis = Pick<Pass, "lengths" | "inner" | "outer" | "stage">;

interface Pass {
  readonly lengths: readonly number[];
  /** Elements between neighbouring points of the innermost transformed axis. */
  readonly inner: number;
  readonly outer: number;
  /** The only stage that is taken; all unless given. */
  readonly stage?: number;
  readonly swap: boolean;
  readonly scale: number;
  readonly realInput: boolean;
  readonly output: FourierOutput;
}

function record(capture: Capture, x: TensorRef, pass: Pass): TensorRef {
  const { lengths, inner, outer, stage, swap, scale, realInput, output } = pass;
  const all = outer * inner;
  const lines = Math.min(all, Math.max(1, Math.floor(MAX_BLOCK / sizeOf(lengths))));
  const plain = x.shape.slice(0, 4);
  const result = capture.transient(output === "complex" ? [...plain, 2] : plain, "fft");
  capture.dispatch({
    kernel: fourierKernel({
      ...{ lengths, lines, realInput, output },
      ...(stage === undefined ? {} : { stage }),
    }),
    bindings: { x, twiddle: twiddleTensor(capture, lengths.toReversed()), result },
    params: { inner, lines: all, swap: swap ? 1 : 0, scale },
    workgroups: flatGrid(Math.ceil(all / lines)),
  });
  return result;
}
