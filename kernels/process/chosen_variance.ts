/**
 * Noise whose variance the network chooses, value by value, between two bounds (Nichol and Dhariwal
 * 2021, arXiv 2102.09672, equation 15, with v from -1 to 1 as in their code):
 *
 *     z' = z exp((least + (v + 1) / 2 (most - least)) / 2)
 *
 * The bounds are logarithms of variances, and run-time values. Or v is the variance itself.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** What the network chooses: a variance between two, by their logarithms, or one of its own. */
export type ChosenVariance = readonly [least: number, most: number] | "own";

/** Length of the tensor of coefficients: least, most, and whether and how there is a choice. */
export const VARIANCE_SCALARS = 3;

/** The coefficients as {@linkcode noiseOfVariance} reads them; without a choice the noise stays as it is. */
export function varianceScalars(
  chosen: ChosenVariance | undefined,
): Float32Array<ArrayBuffer> {
  if (chosen === "own") return Float32Array.of(0, 0, 2);
  return Float32Array.of(...chosen ?? [0, 0], chosen ? 1 : 0);
}

/**
 * Noise of the variance that `v` chooses.
 *
 * @param z Standard normal noise.
 * @param v The choice, of the same shape.
 * @throws {RangeError} When shapes differ.
 */
export function noiseOfVariance(
  capture: Capture,
  z: TensorRef,
  v: TensorRef,
  scalars: TensorRef,
): TensorRef {
  if (formatShape(z.shape) !== formatShape(v.shape) || sizeOf(scalars.shape) !== VARIANCE_SCALARS) {
    throw new RangeError(
      `Cannot scale noise: noise and choice must have one shape and scalars ${VARIANCE_SCALARS}, got ${
        formatShape(z.shape)
      }, ${formatShape(v.shape)} and ${formatShape(scalars.shape)}`,
    );
  }
  const result = capture.transient(z.shape, "noiseOfVariance");
  const items = sizeOf(z.shape), type = full(1);
  capture.dispatch({
    kernel: defineKernel({
      name: "noiseOfVariance",
      bindings: {
        z: { type, access: "read" },
        v: { type, access: "read" },
        scalars: { type, access: "read" },
        result: { type, access: "write" },
      },
      params: { items: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let logVariance = scalars[0] + 0.5 * (v[i] + 1.0) * (scalars[1] - scalars[0]);
  let chosen = select(exp(0.5 * logVariance), sqrt(v[i]), scalars[2] == 2.0);
  result[i] = select(z[i], z[i] * chosen, scalars[2] > 0.0);
}`,
    }),
    bindings: { z, v, scalars, result },
    params: { items },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}
