/**
 * What networks that preserve magnitudes share (Karras et al. 2024, arXiv 2312.02696, section B): sums
 * whose variance stays 1, and activations scaled to it.
 *
 * @module
 */
import type { Tensor } from "../autograd/graph.ts";
import { concat } from "../autograd/ops/concat.ts";
import { film } from "../autograd/ops/film.ts";
import { sizeOf } from "../device/tensor.ts";

/** What SiLU of a standard normal variable is divided by for a mean square of 1. */
export const SILU_SCALE = 0.596;

/** Factors of a and b in their sum of equal variance, `b` having a share. */
export function sumFactors(share: number): [a: number, b: number] {
  const size = Math.sqrt((1 - share) ** 2 + share ** 2);
  return [(1 - share) / size, share / size];
}

/**
 * SiLU of `x (1 + scales)`.
 *
 * @param x `[N, ..., C]`
 * @param scales `[N, C]`
 */
export function scaledSilu(x: Tensor, scales: Tensor): Tensor {
  const { graph } = x, { shape } = scales;
  const none = graph.capture.table(
    `zeros ${shape}`,
    shape,
    () => new Float32Array(sizeOf(shape)),
  );
  return film(x, concat(scales, graph.constant(none)), { silu: true });
}
