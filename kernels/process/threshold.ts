/**
 * The limits of dynamic thresholding (Saharia et al. 2022, arXiv 2205.11487, section 2.3): of each
 * sample a quantile of |x0|, x0 = xToX0 x + fToX0 f, interpolated linearly between two values as
 * PyTorch's `quantile` does, and held between 1 and a largest one.
 *
 * A value of rank k is found bit by bit: absolute values are ordered as their bits are, so that 31
 * rounds of counting give it exactly, in any order of the threads.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import type { SamplerCoefficients } from "./sampler_step.ts";

/** Length of the tensor of coefficients. */
export const LIMIT_SCALARS = 5;

/**
 * The coefficients as {@linkcode sampleLimits} reads them; a step that does not threshold gives limits
 * that nothing reads.
 *
 * @param length Values a sample.
 */
export function limitScalars(
  { xToX0, fToX0, threshold }: SamplerCoefficients,
  length: number,
): Float32Array<ArrayBuffer> {
  const { ratio, most } = threshold ?? { ratio: 0, most: 1 };
  const rank = ratio * (length - 1), below = Math.floor(rank);
  return Float32Array.of(xToX0, fToX0, below, rank - below, most);
}

/**
 * The limits of samples, f32 `[n]`.
 *
 * @param x The images, `[n, ...]`.
 * @param f The network's output, of the same shape.
 * @param scalars Of {@linkcode limitScalars}.
 * @throws {RangeError} When shapes differ.
 */
export function sampleLimits(
  capture: Capture,
  x: TensorRef,
  f: TensorRef,
  scalars: TensorRef,
): TensorRef {
  const [samples = 1] = x.shape;
  if (formatShape(x.shape) !== formatShape(f.shape) || sizeOf(scalars.shape) !== LIMIT_SCALARS) {
    throw new RangeError(
      `Cannot find limits: image and output must have one shape and scalars ${LIMIT_SCALARS}, got ${
        formatShape(x.shape)
      }, ${formatShape(f.shape)} and ${formatShape(scalars.shape)}`,
    );
  }
  const result = capture.transient([samples], "sampleLimits");
  const type = full(1);
  capture.dispatch({
    kernel: defineKernel({
      name: "sampleLimits",
      bindings: {
        x: { type, access: "read" },
        f: { type, access: "read" },
        scalars: { type, access: "read" },
        result: { type, access: "write" },
      },
      params: { samples: "u32", length: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
var<workgroup> parts: array<u32, WX>;

// Bits of the absolute value: ordered as the values are.
fn bitsOf(at: u32) -> u32 {
  return bitcast<u32>(scalars[0] * x[at] + scalars[1] * f[at]) & 0x7fffffffu;
}

fn total(lane: u32, part: u32) -> u32 {
  workgroupBarrier();
  parts[lane] = part;
  workgroupBarrier();
  var sum = 0u;
  for (var i = 0u; i < WX; i++) { sum += parts[i]; }
  return sum;
}

fn least(lane: u32, part: u32) -> u32 {
  workgroupBarrier();
  parts[lane] = part;
  workgroupBarrier();
  var smallest = parts[0];
  for (var i = 1u; i < WX; i++) { smallest = min(smallest, parts[i]); }
  return smallest;
}

@compute @workgroup_size(WX, WY, WZ)
fn main(
  @builtin(local_invocation_index) lane: u32,
  @builtin(workgroup_id) group: vec3u,
  @builtin(num_workgroups) groups: vec3u,
) {
  let sample = flatWorkgroup(group, groups);
  let mine = sample < params.samples;
  let first = select(0u, sample * params.length, mine);
  let end = select(0u, first + params.length, mine);
  let rank = u32(scalars[2]);
  // The largest bits that at most 'rank' values lie below: those of the value of that rank.
  var found = 0u;
  for (var bit = 31u; bit > 0u; bit--) {
    let tried = found | (1u << (bit - 1u));
    var below = 0u;
    for (var at = first + lane; at < end; at += WX) { below += select(0u, 1u, bitsOf(at) < tried); }
    if (total(lane, below) <= rank) { found = tried; }
  }
  var within = 0u;
  var above = 0xffffffffu;
  for (var at = first + lane; at < end; at += WX) {
    let bits = bitsOf(at);
    if (bits <= found) { within++; } else { above = min(above, bits); }
  }
  let next = select(found, least(lane, above), total(lane, within) <= rank + 1u);
  if (lane == 0u && mine) {
    let low = bitcast<f32>(found);
    // Beyond the last value there is none: its share is 0 then.
    let high = select(low, bitcast<f32>(next), scalars[3] > 0.0);
    result[sample] = clamp(low + scalars[3] * (high - low), 1.0, scalars[4]);
  }
}`,
    }),
    bindings: { x, f, scalars, result },
    params: { samples, length: sizeOf(x.shape) / samples },
    workgroups: flatGrid(samples),
  });
  return result;
}
