/**
 * One update of a sampler, for every solver whose step is linear but for a clip. With x the image, f
 * the network's output and z noise:
 *
 *     x0 = xToX0 x + fToX0 f,  clipped to [-1, 1] when `clip`
 *     x' = fromX0 x0 + fromX x + fromF f + noise z
 *
 * The coefficients are a run-time tensor, so one program serves all steps.
 *
 * @module
 */
import type { Capture } from "../device/capture.ts";
import { defineKernel } from "../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "./grid.ts";

/** Length of the tensor of coefficients. */
export const SAMPLER_SCALARS = 7;

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
}

/** The coefficients as {@linkcode samplerStep} reads them, each cast to f32 once. */
export function samplerScalars(step: SamplerCoefficients): Float32Array<ArrayBuffer> {
  const { xToX0, fToX0, clip, fromX0, fromX, fromF, noise } = step;
  return Float32Array.of(xToX0, fToX0, fromX0, fromX, fromF, noise, clip ? 1 : 0);
}

/**
 * The image after a step.
 *
 * @param tensors The image, the network's output and noise, all of one shape.
 * @param scalars `[7]` of {@linkcode samplerScalars}.
 * @throws {RangeError} When shapes differ.
 */
export function samplerStep(
  capture: Capture,
  { x, f, z }: { readonly x: TensorRef; readonly f: TensorRef; readonly z: TensorRef },
  scalars: TensorRef,
): TensorRef {
  const shapes = [x, f, z].map(({ shape }) => formatShape(shape));
  if (new Set(shapes).size !== 1 || sizeOf(scalars.shape) !== SAMPLER_SCALARS) {
    throw new RangeError(
      `Cannot take a sampling step: image, output and noise must have one shape and scalars ${SAMPLER_SCALARS}, got ${
        shapes.join(", ")
      } and ${formatShape(scalars.shape)}`,
    );
  }
  const count = sizeOf(x.shape);
  const width = count % 4 === 0 ? 4 : 1;
  const type = width === 4 ? "vec4f" : "f32";
  const result = capture.transient(x.shape, "samplerStep");
  capture.dispatch({
    kernel: defineKernel({
      name: `samplerStep.${type}`,
      bindings: {
        x: { type, access: "read" },
        f: { type, access: "read" },
        z: { type, access: "read" },
        scalars: { type: "f32", access: "read" },
        result: { type, access: "write" },
      },
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
  result[i] = (scalars[2] * clean + scalars[3] * image) + (scalars[4] * output + scalars[5] * z[i]);
}`,
    }),
    bindings: { x, f, z, scalars, result },
    params: { items: count / width },
    workgroups: flatGrid(count / width, STREAM_WORKGROUP),
  });
  return result;
}
