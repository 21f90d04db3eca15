import {
  boundBackward,
  boundForward,
  type BoundTensors,
} from "../../kernels/process/variational_bound.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Terms of the variational bound in nats a value, with a gradient in the variance alone;
 * kernels/process/variational_bound.ts has the equations.
 *
 * @param v The network's output of the variance, `[N, ...]`.
 * @throws {RangeError} When shapes differ.
 */
export function variationalBound(v: Tensor, given: Omit<BoundTensors, "v">): Tensor {
  const { capture } = v.graph;
  return v.graph.record({
    op: "variationalBound",
    inputs: [v],
    output: boundForward(capture, { ...given, v: v.ref }),
    backward: (dy) => [boundBackward(capture, { ...given, v: v.saved() }, dy)],
  });
}
