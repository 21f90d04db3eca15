import { mulForward } from "../../kernels/elementwise/broadcast.ts";
import { sumTo } from "../../kernels/reduce/reduce.ts";
import type { Tensor } from "../tensor.ts";

/**
 * `a b` element by element, broadcast by numpy's rules.
 *
 * @throws {RangeError} When the shapes do not broadcast.
 */
export function mul(a: Tensor, b: Tensor): Tensor {
  const { capture } = a.graph;
  return a.graph.record({
    op: "mul",
    inputs: [a, b],
    output: mulForward(capture, a.ref, b.ref),
    backward: (dy, needs) => [
      needs[0] ? sumTo(capture, mulForward(capture, dy, b.ref), a.shape) : null,
      needs[1] ? sumTo(capture, mulForward(capture, dy, a.ref), b.shape) : null,
    ],
  });
}
