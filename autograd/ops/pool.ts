/**
 * Pooling of channels-last images; kernels/layout/pool.ts has the conventions.
 *
 * @module
 */
import {
  avgPoolBackward,
  avgPoolForward,
  type AvgPoolOptions,
  maxPoolBackward,
  maxPoolForward,
  type PoolOptions,
} from "../../kernels/layout/pool.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Means of windows, `[N, H, W, C]` to `[N, H', W', C]`.
 *
 * @throws {RangeError} When the window does not fit.
 */
export function avgPool2d(x: Tensor, options: AvgPoolOptions): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "avgPool2d",
    inputs: [x],
    output: avgPoolForward(capture, x.ref, options),
    backward: (dy) => [avgPoolBackward(capture, x.ref, dy, options)],
  });
}

/**
 * Maxima of windows, `[N, H, W, C]` to `[N, H', W', C]`; the gradient goes to the first maximum.
 *
 * @throws {RangeError} When the window does not fit.
 */
export function maxPool2d(x: Tensor, options: PoolOptions): Tensor {
  const { capture } = x.graph;
  const { result, places } = maxPoolForward(capture, x.ref, options);
  return x.graph.record({
    op: "maxPool2d",
    inputs: [x],
    output: result,
    backward: (dy) => [maxPoolBackward(capture, x.ref, places, dy, options)],
  });
}
