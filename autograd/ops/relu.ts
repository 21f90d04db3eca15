import { reluBackward, reluForward } from "../../kernels/elementwise/relu.ts";
import type { Tensor } from "../tensor.ts";

/** The rectifier `max(x, 0)`, any shape. */
export function relu(x: Tensor): Tensor {
  const { capture } = x.graph;
  const y = reluForward(capture, x.ref);
  return x.graph.record({
    op: "relu",
    inputs: [x],
    output: y,
    backward: (dy) => [reluBackward(capture, y, dy)],
  });
}
