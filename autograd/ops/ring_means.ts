import { ringMeansBackward, ringMeansForward, type Rings } from "../../kernels/fft/rings.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Means over the parts of a partition of the plane, as over rings of frequencies.
 *
 * @param x `[N, H, W, C]`
 * @returns `[N, R, C]`
 * @throws {RangeError} When a plane has another number of points than the partition.
 */
export function ringMeans(x: Tensor, rings: Rings): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "ringMeans",
    inputs: [x],
    output: ringMeansForward(capture, x.ref, rings),
    backward: (dy) => [ringMeansBackward(capture, dy, rings, x.shape)],
  });
}
