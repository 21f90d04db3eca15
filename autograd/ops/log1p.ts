import { log1pBackward, log1pForward } from "../../kernels/elementwise/log1p.ts";
import type { Tensor } from "../tensor.ts";

/** `log(1 + x)` for x above -1, any shape. */
export function log1p(x: Tensor): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "log1p",
    inputs: [x],
    output: log1pForward(capture, x.ref),
    backward: (dy) => [log1pBackward(capture, x.ref, dy)],
  });
}
