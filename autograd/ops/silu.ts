import { siluBackward, siluForward } from "../../kernels/elementwise/silu.ts";
import type { Tensor } from "../tensor.ts";

/** SiLU, any shape. */
export function silu(x: Tensor): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "silu",
    inputs: [x],
    output: siluForward(capture, x.ref),
    // Rows of vectors, as embeddings are, fill too little memory for a dispatch.
    ...(x.shape.length > 2 ? { recompute: () => siluForward(capture, x.saved()) } : {}),
    backward: (dy) => [siluBackward(capture, x.saved(), dy)],
  });
}
