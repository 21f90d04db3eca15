import { concatForward, sliceLast } from "../../kernels/concat.ts";
import type { Tensor } from "../graph.ts";

/**
 * `[..., Ca]` and `[..., Cb]` to `[..., Ca + Cb]`.
 *
 * @throws {RangeError} When an axis before the last differs.
 */
export function concat(a: Tensor, b: Tensor): Tensor {
  const { capture } = a.graph;
  const widthA = a.shape.at(-1) ?? 0, widthB = b.shape.at(-1) ?? 0;
  return a.graph.record({
    op: "concat",
    inputs: [a, b],
    output: concatForward(capture, a.ref, b.ref),
    recompute: () => concatForward(capture, a.saved(), b.saved()),
    backward: (dy, needs) => [
      needs[0] ? sliceLast(capture, dy, 0, widthA) : null,
      needs[1] ? sliceLast(capture, dy, widthA, widthB) : null,
    ],
  });
}
