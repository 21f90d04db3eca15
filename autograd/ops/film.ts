import { filmBackward, filmForward } from "../../kernels/norm/film.ts";
import { sumMiddleInto } from "../../kernels/reduce/reduce.ts";
import type { Tensor } from "../tensor.ts";

/** Choices of {@linkcode film}. */
export interface FilmArgs {
  /** The first of C columns of scales, which C of shifts follow; 0 unless given. */
  readonly start?: number;
  /** Whether SiLU follows, fused; false unless given. */
  readonly silu?: boolean;
}

/**
 * `x (1 + scale) + shift` with a scale and a shift for each image and channel (feature-wise linear
 * modulation, Perez et al. 2018).
 *
 * @param x `[N, ..., C]`.
 * @param matrix Scales and shifts in some columns of `[N, M]`.
 * @throws {RangeError} When shapes do not fit.
 */
export function film(
  x: Tensor,
  matrix: Tensor,
  { start = 0, silu = false }: FilmArgs = {},
): Tensor {
  const { capture } = x.graph;
  const options = { start, silu };
  return x.graph.record({
    op: "film",
    inputs: [x, matrix],
    output: filmForward(capture, x.ref, matrix.ref, options),
    recompute: () => filmForward(capture, x.saved(), matrix.ref, options),
    backward: (dy, [needsX, needsMatrix]) => {
      const made = filmBackward(capture, x.saved(), matrix.ref, dy, options);
      return [
        needsX ? made.dx : null,
        needsMatrix
          ? (total) => sumMiddleInto(capture, made.parts, made.sizes, total, start, true)
          : null,
      ];
    },
  });
}
