import { normHuberBackward, normHuberForward } from "../../kernels/reduce/norm_huber.ts";
import type { Tensor } from "../tensor.ts";

/**
 * The pseudo-Huber loss of the norm of each sample's error, from its mean square.
 *
 * @param squares Mean squares `[N]`, of `size` values each.
 * @param turn Where it turns from square to linear, above 0.
 */
export function normHuber(squares: Tensor, size: number, turn: number): Tensor {
  const { capture } = squares.graph;
  return squares.graph.record({
    op: "normHuber",
    inputs: [squares],
    output: normHuberForward(capture, squares.ref, size, turn),
    backward: (dy) => [normHuberBackward(capture, squares.ref, dy, size, turn)],
  });
}
