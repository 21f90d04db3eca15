import { expBackward, expForward } from "../../kernels/elementwise/exp.ts";
import type { Tensor } from "../tensor.ts";

/** `exp(x)`, any shape. */
export function exp(x: Tensor): Tensor {
  const { capture } = x.graph;
  const y = expForward(capture, x.ref);
  return x.graph.record({
    op: "exp",
    inputs: [x],
    output: y,
    backward: (dy) => [expBackward(capture, y, dy)],
  });
}
