/**
 * How far complex numbers z are from y in amplitude, more so where their phases differ (Chandran et al.
 * 2026, arXiv 2603.02447, section 4.1.2):
 *
 *     l = ||z| - |y|| (1 + |phi|),    phi = arg z - arg y in [-pi, pi]
 *
 * Its gradient in z is sign(|z| - |y|) (1 + |phi|) z / |z| + ||z| - |y|| sign(phi) i z / |z|^2, and 0
 * where |z| is 0; where phi is 0 the second term is. arctan is a polynomial of our own, as WGSL promises
 * little of its.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { type BindingSpec, defineKernel, type Kernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import { AMPLITUDE } from "./spectrum.ts";

const FUNCTIONS = `${AMPLITUDE}
// arctan of 0 <= t <= 1, from below tan(pi / 8) where the series in t^2 converges fast.
fn arctan(t: f32) -> f32 {
  let large = t > 0.41421356;
  let u = select(t, (t - 1.0) / (t + 1.0), large);
  let s = u * u;
  let series = ((8.05374449538e-2 * s - 1.38776856032e-1) * s + 1.99777106478e-1) * s - 3.33329491539e-1;
  return select(0.0, 0.785398163, large) + u + u * s * series;
}
// The angle from y to z, of numbers that are divided by their larger parts.
fn angle(z: vec2f, y: vec2f) -> f32 {
  let across = z.y * y.x - z.x * y.y;
  let along = dot(z, y);
  let least = min(abs(across), abs(along));
  let most = max(abs(across), abs(along));
  if (most == 0.0) { return 0.0; }
  let first = arctan(least / most);
  let acute = select(first, 1.570796327 - first, abs(across) > abs(along));
  return sign(across) * select(acute, 3.141592654 - acute, along < 0.0) +
    select(0.0, 3.141592654, across == 0.0 && along < 0.0);
}
`;

const MAIN = `@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let phi = angle(reduced(z[i]).xy, reduced(y[i]).xy);
  let apart = amplitude(z[i]) - amplitude(y[i]);`;

const forwardKernel = kernelOf(
  "amplitudePhase",
  {},
  `${MAIN}
  result[i] = abs(apart) * (1.0 + abs(phi));
}`,
);

const backwardKernel = kernelOf(
  "amplitudePhaseBackward",
  { dy: full(1) },
  `${MAIN}
  let way = direction(z[i]);
  let size = amplitude(z[i]);
  let turn = select(abs(apart) / size, 0.0, size == 0.0) * sign(phi);
  result[i] = dy[i] * (sign(apart) * (1.0 + abs(phi)) * way + turn * vec2f(-way.y, way.x));
}`,
);

function kernelOf(
  name: string,
  more: Readonly<Record<string, BindingSpec["type"]>>,
  wgsl: string,
): Kernel {
  const others = Object.entries(more).map(([key, type]) =>
    [key, { type, access: "read" }] as const
  );
  return defineKernel({
    name,
    bindings: {
      z: { type: full(2), access: "read" },
      y: { type: full(2), access: "read" },
      ...Object.fromEntries(others),
      result: { type: full("dy" in more ? 2 : 1), access: "write" },
    },
    params: { items: "u32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}${FUNCTIONS}${wgsl}`,
  });
}

/**
 * The distance of every number.
 *
 * @param z `[..., 2]`
 * @param y The same shape.
 * @returns `[...]`
 * @throws {RangeError} When shapes differ or the last axis is not 2.
 */
export function amplitudePhaseForward(capture: Capture, z: TensorRef, y: TensorRef): TensorRef {
  if (z.shape.at(-1) !== 2 || formatShape(z.shape) !== formatShape(y.shape)) {
    throw new RangeError(
      "Cannot compare amplitudes and phases: both must have one shape that ends in 2, real and " +
        `imaginary part, got ${formatShape(z.shape)} and ${formatShape(y.shape)}`,
    );
  }
  const result = capture.transient(z.shape.slice(0, -1), "amplitudePhase");
  const items = sizeOf(result.shape);
  capture.dispatch({
    kernel: forwardKernel,
    bindings: { z, y, result },
    params: { items },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}

/**
 * Gradient with respect to `z`.
 *
 * @param dy Upstream gradient, of the result's shape.
 */
export function amplitudePhaseBackward(
  capture: Capture,
  z: TensorRef,
  y: TensorRef,
  dy: TensorRef,
): TensorRef {
  const result = capture.transient(z.shape, "amplitudePhaseBackward");
  const items = sizeOf(dy.shape);
  capture.dispatch({
    kernel: backwardKernel,
    bindings: { z, y, dy, result },
    params: { items },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}
