import { concatForward, splitLast } from "../../kernels/layout/concat.ts";
import type { Tensor } from "../tensor.ts";

/**
 * `[..., Ca]` and `[..., Cb]` to `[..., Ca + Cb]`.
 *
 * @throws {RangeError} When an axis before the last differs.
 */
export function concat(a: Tensor, b: Tensor): Tensor {
  const { capture } = a.graph;
  const width = a.shape.at(-1) ?? 0;
  return a.graph.record({
    op: "concat",
    inputs: [a, b],
    output: concatForward(capture, a.ref, b.ref),
    recompute: () => concatForward(capture, a.saved(), b.saved()),
    backward: (dy, [needsA, needsB], absorb) => {
      const grads = splitLast(capture, dy, width, {
        a: needsA ? { plus: absorb(0)[0] } : null,
        b: needsB ? { plus: absorb(1)[0] } : null,
      });
      return [grads.a, grads.b];
    },
  });
}
