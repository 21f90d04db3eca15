import { addSame } from "../../kernels/elementwise/add.ts";
import { addForward } from "../../kernels/elementwise/broadcast.ts";
import { sumTo } from "../../kernels/reduce/reduce.ts";
import { formatShape } from "../../device/tensor.ts";
import type { Tensor } from "../tensor.ts";

/**
 * `a + b`, broadcast by numpy's rules.
 *
 * @throws {RangeError} When the shapes do not broadcast.
 */
export function add(a: Tensor, b: Tensor): Tensor {
  const { capture } = a.graph;
  const same = formatShape(a.shape) === formatShape(b.shape);
  return a.graph.record({
    op: "add",
    inputs: [a, b],
    output: same ? addSame(capture, a.ref, b.ref) : addForward(capture, a.ref, b.ref),
    backward: (dy, needs) => [
      needs[0] ? sumTo(capture, dy, a.shape) : null,
      needs[1] ? sumTo(capture, dy, b.shape) : null,
    ],
  });
}
