/**
 * Timesteps drawn where losses have been large, from a history of losses that the device keeps.
 *
 * @module
 */
import type { Capture } from "../../../device/capture.ts";
import { elementOf, full } from "../../../device/element.ts";
import { defineKernel } from "../../../device/kernel.ts";
import { sizeOf, type TensorRef } from "../../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../../shared/grid.ts";
import { KEY_PARAMS, keyParams } from "../../shared/philox.ts";
import { MAIN, RANDOM, type TimestepDraw } from "./shared.ts";

/** Losses that a bin must have seen before any bin is preferred. */
export const WARM_LOSSES = 10;

/** First timestep of a bin; of bin `bins` it is T. */
export function binStart(bin: number, bins: number, timesteps: number): number {
  return Math.floor(bin * timesteps / bins);
}

const BINS = `
fn binStart(bin: u32) -> u32 { return (bin * params.timesteps) / params.bins; }
`;

const adaptiveKernel = defineKernel({
  name: "adaptiveTimesteps",
  bindings: {
    key: { type: elementOf("u32", 4), access: "read" },
    history: { type: full(2), access: "read" },
    result: { type: elementOf("u32", 1), access: "write" },
    weights: { type: full(1), access: "write" },
  },
  params: { ...KEY_PARAMS, items: "u32", timesteps: "u32", bins: "u32", uniformShare: "f32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${RANDOM}${BINS}
${MAIN}
  var total = 0.0;
  var warm = true;
  for (var b = 0u; b < params.bins; b++) {
    let size = f32(binStart(b + 1u) - binStart(b));
    total += size * sqrt(history[b].x);
    warm = warm && history[b].y >= ${WARM_LOSSES}.0;
  }
  let uniform_ = select(1.0, params.uniformShare, warm && total > 0.0);
  let u = uniform4(words).x;
  var sum = 0.0;
  var bin = params.bins;
  var weight = 1.0;
  for (var b = 0u; b < params.bins; b++) {
    let share = f32(binStart(b + 1u) - binStart(b)) / f32(params.timesteps);
    // Its density relative to the uniform one.
    var density = uniform_;
    if (uniform_ < 1.0) {
      density += (1.0 - uniform_) * sqrt(history[b].x) * f32(params.timesteps) / total;
    }
    sum += share * density;
    // Round-off may leave the sum below u: then it is the last bin.
    if (bin == params.bins && (u <= sum || b == params.bins - 1u)) {
      bin = b;
      weight = 1.0 / density;
    }
  }
  let first = binStart(bin);
  result[n] = first + multiplyHigh(words.y, binStart(bin + 1u) - first);
  weights[n] = weight;
}`,
});

/** Choices of {@linkcode adaptiveTimesteps}. */
export interface AdaptiveDraw extends TimestepDraw {
  /** Timesteps T, at least as many as there are bins. */
  readonly timesteps: number;
  /** Share of the draws that stay uniform, in (0, 1]. */
  readonly uniformShare: number;
}

/**
 * Timesteps by importance: within the share that is not uniform the density in a bin of timesteps is
 * proportional to sqrt(E[L^2]) there (Nichol and Dhariwal 2021, arXiv 2102.09672, equation 18).
 * Uniform until every bin has seen {@linkcode WARM_LOSSES} losses.
 *
 * @param history f32 `[bins, 2]` of {@linkcode recordLosses}: mean square and number of losses.
 * @returns Timesteps u32 `[samples]`, and the weights f32 `[samples]` that make a mean of weighted
 *   losses an unbiased estimate of the uniform mean.
 */
export function adaptiveTimesteps(
  capture: Capture,
  key: TensorRef,
  history: TensorRef,
  { samples, stream, timesteps, uniformShare }: AdaptiveDraw,
): { timesteps: TensorRef; weights: TensorRef } {
  const bins = sizeOf(history.shape) / 2;
  if (bins > timesteps || !(uniformShare > 0 && uniformShare <= 1)) {
    throw new RangeError(
      `Cannot draw timesteps: bins must be at most ${timesteps} and the uniform share in (0, 1], got ${bins} and ${uniformShare}`,
    );
  }
  const result = capture.transient([samples], "timesteps", "u32");
  const weights = capture.transient([samples], "timestepWeights");
  capture.dispatch({
    kernel: adaptiveKernel,
    bindings: { key, history, result, weights },
    params: { ...keyParams(key, samples, stream), items: samples, timesteps, bins, uniformShare },
    workgroups: flatGrid(samples, STREAM_WORKGROUP),
  });
  return { timesteps: result, weights };
}

const recordKernel = defineKernel({
  name: "recordLosses",
  bindings: {
    history: { type: full(2), access: "read_write" },
    timestep: { type: elementOf("u32", 1), access: "read" },
    losses: { type: full(1), access: "read" },
  },
  params: { samples: "u32", timesteps: "u32", bins: "u32", decay: "f32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}${BINS}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let bin = flatInvocation(global, groups);
  if (bin >= params.bins) { return; }
  let first = binStart(bin);
  let end = binStart(bin + 1u);
  var seen = history[bin];
  for (var n = 0u; n < params.samples; n++) {
    if (timestep[n] < first || timestep[n] >= end) { continue; }
    let square = losses[n] * losses[n];
    // The first losses count alike, so that the mean starts without bias.
    let keep = min(params.decay, seen.y / (seen.y + 1.0));
    seen = vec2f(keep * seen.x + (1.0 - keep) * square, min(seen.y + 1.0, 16777216.0));
  }
  history[bin] = seen;
}`,
});

/**
 * Takes losses into the history, in the order of the samples: a moving average of their squares a bin.
 *
 * @param history f32 `[bins, 2]`, changed in place.
 * @param timestep u32 `[N]`.
 * @param losses f32 `[N]`.
 * @param options.timesteps Timesteps T.
 * @param options.decay Share of the average kept a loss, in [0, 1).
 */
export function recordLosses(
  capture: Capture,
  history: TensorRef,
  timestep: TensorRef,
  losses: TensorRef,
  { timesteps, decay }: { readonly timesteps: number; readonly decay: number },
): void {
  const bins = sizeOf(history.shape) / 2;
  const samples = sizeOf(timestep.shape);
  if (samples !== sizeOf(losses.shape)) {
    throw new RangeError(
      `Cannot record losses: there must be one a timestep, got ${
        sizeOf(losses.shape)
      } for ${samples}`,
    );
  }
  capture.dispatch({
    kernel: recordKernel,
    bindings: { history, timestep, losses },
    params: { samples, timesteps, bins, decay },
    workgroups: flatGrid(bins, STREAM_WORKGROUP),
  });
}
