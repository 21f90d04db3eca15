/**
 * Running mean and variance of what is measured of each sample, apart by bins of timesteps: a bin is
 * `floor(t bins / T)`. One invocation follows one number of one bin through the batch, sample by
 * sample (Welford 1962), so the order is fixed and nothing cancels.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, full } from "../../device/element.ts";
import { type BindingSpec, defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** Numbers that a moment consists of: count, mean, and sum of squared deviations. */
export const MOMENT_PARTS = 3;

/** What {@linkcode addBinnedMoments} adds. */
export interface BinnedValues {
  /** Timesteps of the samples, u32 `[N]`. */
  readonly timesteps: TensorRef;
  /** Measurements, f32 `[N, M]`. */
  readonly values: TensorRef;
  /** Factors of the measurements at each timestep, f32 `[T]`; 1 unless given. */
  readonly factors?: TensorRef;
}

/**
 * Adds a batch to running moments.
 *
 * @param moments f32 `[bins, M, 3]`, zeros to begin with: count, mean, sum of squared deviations.
 * @param timesteps Timesteps T of the process; those of samples must be below.
 * @throws {RangeError} When shapes do not fit.
 */
export function addBinnedMoments(
  capture: Capture,
  moments: TensorRef,
  { timesteps: drawn, values, factors }: BinnedValues,
  timesteps: number,
): void {
  const [samples = 0, measures = 0] = values.shape;
  const [bins = 0, columns, parts] = moments.shape;
  if (
    values.shape.length !== 2 || sizeOf(drawn.shape) !== samples || columns !== measures ||
    parts !== MOMENT_PARTS || (factors && sizeOf(factors.shape) !== timesteps)
  ) {
    throw new RangeError(
      `Cannot add to moments: they must be [bins, M, ${MOMENT_PARTS}] for values [N, M] and N timesteps, got ${
        formatShape(moments.shape)
      }, ${formatShape(values.shape)} and ${formatShape(drawn.shape)}`,
    );
  }
  const specs: Record<string, BindingSpec> = {
    drawn: { type: elementOf("u32", 1), access: "read" },
    values: { type: full(1), access: "read" },
    moments: { type: full(1), access: "read_write" },
  };
  const bindings: Record<string, TensorRef> = { drawn, values, moments };
  if (factors) {
    specs.factors = { type: full(1), access: "read" };
    bindings.factors = factors;
  }
  const items = bins * measures;
  capture.dispatch({
    kernel: defineKernel({
      name: `addBinnedMoments${factors ? ".scaled" : ""}`,
      bindings: specs,
      params: {
        items: "u32",
        measures: "u32",
        samples: "u32",
        bins: "u32",
        timesteps: "u32",
      },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let bin = i / params.measures;
  let measure = i % params.measures;
  var count = moments[3u * i];
  var mean = moments[3u * i + 1u];
  var squares = moments[3u * i + 2u];
  for (var n = 0u; n < params.samples; n++) {
    let t = drawn[n];
    if (t * params.bins / params.timesteps != bin) { continue; }
    let value = ${factors ? "factors[t] * " : ""}values[n * params.measures + measure];
    let deviation = value - mean;
    count += 1.0;
    mean += deviation / count;
    squares += deviation * (value - mean);
  }
  moments[3u * i] = count;
  moments[3u * i + 1u] = mean;
  moments[3u * i + 2u] = squares;
}`,
    }),
    bindings,
    params: { items, measures, samples, bins, timesteps },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
}
