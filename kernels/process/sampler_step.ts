/**
 * One update of a sampler, for every solver whose step is linear but for a clip. With x the image, f
 * the network's output and z noise:
 *
 *     x0 = xToX0 x + fToX0 f,  clipped to [-1, 1] when `clip`
 *     x' = fromX0 x0 + fromX x + fromF f + noise z + fromBefore x0 of the step before
 *
 * The coefficients are a run-time tensor, so one program serves all steps.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { type BindingSpec, defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** Length of the tensor of coefficients. */
export const SAMPLER_SCALARS = 8;

/** The coefficients of a step. */
export interface SamplerCoefficients {
  /** Share of x in the predicted x0. */
  readonly xToX0: number;
  /** Share of the network's output in the predicted x0. */
  readonly fToX0: number;
  /** Whether the predicted x0 is clipped to [-1, 1]. */
  readonly clip: boolean;
  /** Shares of the predicted x0, of x, of the network's output and of the noise in the result. */
  readonly fromX0: number;
  readonly fromX: number;
  readonly fromF: number;
  readonly noise: number;
  /** Share of the x0 that the step before predicted; 0 unless given. */
  readonly fromBefore?: number;
}

/** What a step is computed from, all of one shape. */
export interface SamplerTensors {
  /** The image. */
  readonly x: TensorRef;
  /** The network's output. */
  readonly f: TensorRef;
  /** Standard normal noise. */
  readonly z: TensorRef;
  /**
   * Holds the x0 that the step before predicted, and afterwards this step's. Without it `fromBefore`
   * plays no part.
   */
  readonly predicted?: TensorRef;
}

/** The coefficients as {@linkcode samplerStep} reads them, each cast to f32 once. */
export function samplerScalars(step: SamplerCoefficients): Float32Array<ArrayBuffer> {
  const { xToX0, fToX0, clip, fromX0, fromX, fromF, noise, fromBefore = 0 } = step;
  return Float32Array.of(xToX0, fToX0, fromX0, fromX, fromF, noise, clip ? 1 : 0, fromBefore);
}

/**
 * The image after a step.
 *
 * @param scalars `[8]` of {@linkcode samplerScalars}.
 * @throws {RangeError} When shapes differ.
 */
export function samplerStep(
  capture: Capture,
  { x, f, z, predicted }: SamplerTensors,
  scalars: TensorRef,
): TensorRef {
  const shapes = [x, f, z, predicted ?? x].map(({ shape }) => formatShape(shape));
  if (new Set(shapes).size !== 1 || sizeOf(scalars.shape) !== SAMPLER_SCALARS) {
    throw new RangeError(
      `Cannot take a sampling step: image, output, noise and prediction must have one shape and scalars ${SAMPLER_SCALARS}, got ${
        shapes.join(", ")
      } and ${formatShape(scalars.shape)}`,
    );
  }
  const count = sizeOf(x.shape);
  const width = count % 4 === 0 ? 4 : 1;
  const type = full(width);
  const result = capture.transient(x.shape, "samplerStep");
  const specs: Record<string, BindingSpec> = {
    x: { type, access: "read" },
    f: { type, access: "read" },
    z: { type, access: "read" },
    scalars: { type: full(1), access: "read" },
    result: { type, access: "write" },
  };
  const bindings: Record<string, TensorRef> = { x, f, z, scalars, result };
  let remember = "";
  if (predicted) {
    specs.predicted = { type, access: "read_write" };
    bindings.predicted = predicted;
    // A first step must not read what an earlier image left: 0 times what is not finite is not 0.
    remember = `
  if (scalars[7] != 0.0) { next += scalars[7] * predicted[i]; }
  predicted[i] = clean;`;
  }
  capture.dispatch({
    kernel: defineKernel({
      name: `samplerStep.${predicted ? "remembering." : ""}${type}`,
      bindings: specs,
      params: { items: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `alias V = ${type};
${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let image = x[i];
  let output = f[i];
  var clean = scalars[0] * image + scalars[1] * output;
  if (scalars[6] > 0.0) { clean = clamp(clean, V(-1.0), V(1.0)); }
  var next = (scalars[2] * clean + scalars[3] * image) + (scalars[4] * output + scalars[5] * z[i]);${remember}
  result[i] = next;
}`,
    }),
    bindings,
    params: { items: count / width },
    workgroups: flatGrid(count / width, STREAM_WORKGROUP),
  });
  return result;
}
