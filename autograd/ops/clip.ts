import { clipBackward, clipForward } from "../../kernels/elementwise/clip.ts";
import type { Tensor } from "../tensor.ts";

/** `x` within `-most` and `most`, any shape. */
export function clip(x: Tensor, most: number): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "clip",
    inputs: [x],
    output: clipForward(capture, x.ref, most),
    recompute: () => clipForward(capture, x.saved(), most),
    backward: (dy) => [clipBackward(capture, x.saved(), dy, most)],
  });
}
