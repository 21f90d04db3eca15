import { softmaxBackward, softmaxForward } from "../../kernels/reduce/softmax.ts";
import type { Tensor } from "../tensor.ts";

/**
 * `softmax(scale x)` along the last axis.
 *
 * @param x Any shape with at least one axis.
 * @param options `scale` is a factor on the input; 1 unless given.
 */
export function softmax(x: Tensor, { scale = 1 }: { readonly scale?: number } = {}): Tensor {
  const { capture } = x.graph;
  const y = softmaxForward(capture, x.ref, scale);
  return x.graph.record({
    op: "softmax",
    inputs: [x],
    output: y,
    backward: (dy) => [softmaxBackward(capture, y, dy, scale)],
  });
}
