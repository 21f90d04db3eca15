import { geluBackward, type GeluForm, geluForward } from "../../kernels/elementwise/gelu.ts";
import type { Tensor } from "../tensor.ts";

/**
 * GELU (Hendrycks and Gimpel 2016), any shape.
 *
 * @param options `approximate` is `"none"` (exact, unless given) or `"tanh"`.
 */
export function gelu(
  x: Tensor,
  { approximate = "none" }: { readonly approximate?: GeluForm } = {},
): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "gelu",
    inputs: [x],
    output: geluForward(capture, x.ref, approximate),
    backward: (dy) => [geluBackward(capture, x.ref, dy, approximate)],
  });
}
