import { scaleForward } from "../../kernels/elementwise/scale.ts";
import type { Tensor } from "../tensor.ts";

/** `factor x`, any shape; `factor` is fixed when the graph is captured. */
export function scale(x: Tensor, factor: number): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "scale",
    inputs: [x],
    output: scaleForward(capture, x.ref, factor),
    backward: (dy) => [scaleForward(capture, dy, factor)],
  });
}
