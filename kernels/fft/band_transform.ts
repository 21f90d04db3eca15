/**
 * Real and orthonormal transforms of images in which a filter that is alike at k and -k is a factor a point:
 * Hartley's, whose points are the Fourier frequencies, and the cosine transform.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { cosineTransform } from "./dct.ts";
import { hartleyTransform } from "./fft2.ts";

/** A transform by name. */
export type BandTransform = "fourier" | "cosine";

/**
 * The transform of images `[N, H, W, C]`, of the same shape.
 *
 * @throws {RangeError} When the shape is another.
 */
export function transformed(
  capture: Capture,
  x: TensorRef,
  transform: BandTransform,
  inverse: boolean,
): TensorRef {
  if (transform === "cosine") return cosineTransform(capture, x, inverse);
  const [, height = 1, width = 1] = x.shape;
  return hartleyTransform(capture, x, 1 / Math.sqrt(height * width));
}
