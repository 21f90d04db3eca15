import {
  filmAffineBackward,
  filmAffineForward,
  filmChangesInto,
} from "../../kernels/norm/film_affine.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Weights and biases of each image, from those of a normalisation and a projected embedding:
 * `weight (1 + scale)` and `bias (1 + scale) + shift` (kernels/norm/film_affine.ts).
 *
 * @param weight `[C]`
 * @param bias `[C]`
 * @param changes `[N, M]`: C columns of scales from `start` on, then C of shifts.
 * @returns `[N, 2, C]`
 * @throws {RangeError} When the matrix lacks the columns.
 */
export function filmAffine(weight: Tensor, bias: Tensor, changes: Tensor, start = 0): Tensor {
  const { capture } = weight.graph;
  const refs = {
    weight: weight.ref,
    bias: bias.ref,
    changes: { matrix: changes.ref, start },
  };
  return weight.graph.record({
    op: "filmAffine",
    inputs: [weight, bias, changes],
    output: filmAffineForward(capture, refs.weight, refs.bias, refs.changes),
    backward: (dy, [needsWeight, needsBias]) => {
      const made = needsWeight || needsBias ? filmAffineBackward(capture, refs, dy) : undefined;
      return [
        made?.dweight ?? null,
        made?.dbias ?? null,
        (total) => filmChangesInto(capture, refs, dy, total),
      ];
    },
  });
}
