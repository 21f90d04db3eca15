import {
  type FilterResample,
  filterResampleBackward,
  filterResampleForward,
} from "../../kernels/layout/filter_resample.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Half or twice the sides of `[N, H, W, C]` through a separable filter
 * (kernels/layout/filter_resample.ts).
 *
 * @throws {RangeError} When the image or the filter does not allow it.
 */
export function filterResample(x: Tensor, options: FilterResample): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "filterResample",
    inputs: [x],
    output: filterResampleForward(capture, x.ref, options),
    recompute: () => filterResampleForward(capture, x.saved(), options),
    backward: (dy) => [filterResampleBackward(capture, dy, x.shape, options)],
  });
}
