/**
 * Statistics that batch normalisation gathers in training for use at inference (Ioffe and Szegedy 2015,
 * algorithm 2), as PyTorch does: with those of a batch of n places
 *
 *     mean' <- (1 - m) mean' + m mean,   variance' <- (1 - m) variance' + m n / (n - 1) variance
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** A batch's statistics, a channel each. */
export interface BatchStatistics {
  readonly mean: TensorRef;
  /** `1 / sqrt(variance + eps)`. */
  readonly rstd: TensorRef;
  readonly eps: number;
  /** Places n that they are taken over. */
  readonly count: number;
}

const READ = { type: full(1), access: "read" } as const;
const CHANGE = { type: full(1), access: "read_write" } as const;

const kernel = defineKernel({
  name: "gatherStatistics",
  bindings: { mean: READ, rstd: READ, runningMean: CHANGE, runningVariance: CHANGE },
  params: { items: "u32", momentum: "f32", unbiased: "f32", eps: "f32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let variance = max(1.0 / (rstd[i] * rstd[i]) - params.eps, 0.0);
  let rest = 1.0 - params.momentum;
  runningMean[i] = rest * runningMean[i] + params.momentum * mean[i];
  runningVariance[i] = rest * runningVariance[i] + params.momentum * params.unbiased * variance;
}`,
});

/**
 * Moves `running` towards a batch's statistics, in place.
 *
 * @throws {RangeError} When sizes differ, or there is one place alone, which has no variance.
 */
export function gatherStatistics(
  capture: Capture,
  running: { readonly mean: TensorRef; readonly variance: TensorRef },
  { mean, rstd, eps, count }: BatchStatistics,
  momentum: number,
): void {
  const items = sizeOf(mean.shape);
  const tensors = [mean, rstd, running.mean, running.variance];
  if (tensors.some(({ shape }) => sizeOf(shape) !== items) || count < 2) {
    throw new RangeError(
      `Cannot gather statistics: there must be a value for each channel, taken over at least 2 places, got ${
        tensors.map(({ shape }) => formatShape(shape)).join(", ")
      } over ${count}`,
    );
  }
  capture.dispatch({
    kernel,
    bindings: { mean, rstd, runningMean: running.mean, runningVariance: running.variance },
    params: { items, momentum, unbiased: count / (count - 1), eps },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
}
