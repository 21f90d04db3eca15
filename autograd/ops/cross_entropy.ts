import { crossEntropyBackward, crossEntropyForward } from "../../kernels/reduce/cross_entropy.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Cross-entropy of scores `[N, C]` against right classes `[N]`, u32: `[N]`, a loss a row.
 *
 * @throws {RangeError} When the shapes do not fit.
 * @throws {TypeError} When the labels are not u32.
 */
export function crossEntropy(x: Tensor, labels: Tensor): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "crossEntropy",
    inputs: [x, labels],
    output: crossEntropyForward(capture, x.ref, labels.ref),
    backward: (dy) => [crossEntropyBackward(capture, x.ref, labels.ref, dy), null],
  });
}
