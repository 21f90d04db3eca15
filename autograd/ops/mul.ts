import { reshape, sizeOf } from "../../device/tensor.ts";
import { mulForward } from "../../kernels/elementwise/broadcast.ts";
import { exactDot } from "../../kernels/reduce/exact_dot.ts";
import { sumTo } from "../../kernels/reduce/reduce.ts";
import type { Tensor } from "../tensor.ts";

/**
 * `a b` element by element, broadcast by numpy's rules. The gradient of a single number is summed in
 * twice the precision.
 *
 * @throws {RangeError} When the shapes do not broadcast.
 */
export function mul(a: Tensor, b: Tensor): Tensor {
  const { capture } = a.graph;
  return a.graph.record({
    op: "mul",
    inputs: [a, b],
    output: mulForward(capture, a.ref, b.ref),
    backward: (dy, needs) => {
      const gradient = (of: Tensor, other: Tensor) =>
        sizeOf(of.shape) === 1
          ? reshape(exactDot(capture, dy, other.ref), of.shape)
          : sumTo(capture, mulForward(capture, dy, other.ref), of.shape);
      return [needs[0] ? gradient(a, b) : null, needs[1] ? gradient(b, a) : null];
    },
  });
}
