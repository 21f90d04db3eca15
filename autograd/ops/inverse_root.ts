import { inverseRootBackward, inverseRootForward } from "../../kernels/elementwise/inverse_root.ts";
import type { Tensor } from "../tensor.ts";

/** `1 / max(sqrt(x), eps)`, any shape: what divides vectors by their lengths. */
export function inverseRoot(x: Tensor, eps: number): Tensor {
  const { capture } = x.graph;
  const y = inverseRootForward(capture, x.ref, eps);
  return x.graph.record({
    op: "inverseRoot",
    inputs: [x],
    output: y,
    backward: (dy) => [inverseRootBackward(capture, y, dy, eps)],
  });
}
