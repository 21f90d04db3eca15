/**
 * Real functions of complex numbers z = a + b i, `[..., 2]` to `[...]`:
 *
 *     amplitude         |z|
 *     power             |z|^2
 *     log-amplitude     log(|z| + 1e-8)
 *     log1p-amplitude   log(1 + |z|)
 *
 * The gradient of a function g of |z| is g'(|z|) z / |z|, and 0 where |z| is 0, as PyTorch's abs has
 * it. |z| is formed from the larger part, so that neither tiny nor huge numbers are squared.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel, type Kernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** Names of the functions. */
export const SPECTRUM_FUNCTIONS = [
  "amplitude",
  "power",
  "log-amplitude",
  "log1p-amplitude",
] as const;

/** A real function of a complex number. */
export type SpectrumFunction = typeof SPECTRUM_FUNCTIONS[number];

/** Added to an amplitude before its logarithm is taken. */
const LOG_OFFSET = "1e-8";

/** WGSL: the value at z, and the gradient at z. */
const FORMULAS: Readonly<Record<SpectrumFunction, { value: string; gradient: string }>> = {
  "amplitude": { value: "amplitude(z)", gradient: "direction(z)" },
  "power": { value: "dot(z, z)", gradient: "2.0 * z" },
  "log-amplitude": {
    value: `log(amplitude(z) + ${LOG_OFFSET})`,
    gradient: `direction(z) / (amplitude(z) + ${LOG_OFFSET})`,
  },
  "log1p-amplitude": {
    value: "log(1.0 + amplitude(z))",
    gradient: "direction(z) / (1.0 + amplitude(z))",
  },
};

/** WGSL: the size of a complex number, the way it points, and what both are formed from. */
export const AMPLITUDE = `
// z over its larger part, and that part; (0, 0) and 1 for zero.
fn reduced(z: vec2f) -> vec3f {
  let size = max(abs(z.x), abs(z.y));
  let divisor = select(size, 1.0, size == 0.0);
  return vec3f(z / divisor, size);
}
fn amplitude(z: vec2f) -> f32 {
  let r = reduced(z);
  return r.z * sqrt(dot(r.xy, r.xy));
}
fn direction(z: vec2f) -> vec2f {
  let r = reduced(z);
  return r.xy / sqrt(select(dot(r.xy, r.xy), 1.0, r.z == 0.0));
}
`;

const INDEX = `@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }`;

/** Two numbers an invocation where their count is even: 16-byte loads. */
function spectrumKernel(name: SpectrumFunction, pairs: boolean): Kernel {
  return defineKernel({
    name: `${name}.${pairs ? "pairs" : "single"}`,
    bindings: {
      z: { type: full(pairs ? 4 : 2), access: "read" },
      result: { type: full(pairs ? 2 : 1), access: "write" },
    },
    params: { items: "u32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}${AMPLITUDE}
fn value(z: vec2f) -> f32 { return ${FORMULAS[name].value}; }
${INDEX}
  ${
      pairs
        ? "let both = z[i]; result[i] = vec2f(value(both.xy), value(both.zw));"
        : "result[i] = value(z[i]);"
    }
}`,
  });
}

function gradientKernel(name: SpectrumFunction, pairs: boolean): Kernel {
  const complex = full(pairs ? 4 : 2);
  return defineKernel({
    name: `${name}Backward.${pairs ? "pairs" : "single"}`,
    bindings: {
      z: { type: complex, access: "read" },
      dy: { type: full(pairs ? 2 : 1), access: "read" },
      result: { type: complex, access: "write" },
    },
    params: { items: "u32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}${AMPLITUDE}
fn gradient(z: vec2f) -> vec2f { return ${FORMULAS[name].gradient}; }
${INDEX}
  ${
      pairs
        ? `let both = z[i];
  result[i] = dy[i].xxyy * vec4f(gradient(both.xy), gradient(both.zw));`
        : "result[i] = dy[i] * gradient(z[i]);"
    }
}`,
  });
}

function checkComplex(shape: readonly number[], name: string): void {
  if (shape.at(-1) !== 2) {
    throw new RangeError(
      `Cannot compute ${name}: the last axis must hold real and imaginary part, got shape ${
        formatShape(shape)
      }`,
    );
  }
}

/**
 * The function of every number of `z`.
 *
 * @param z `[..., 2]`
 * @returns `[...]`
 * @throws {RangeError} When the last axis is not 2.
 */
export function spectrumForward(
  capture: Capture,
  z: TensorRef,
  name: SpectrumFunction,
): TensorRef {
  checkComplex(z.shape, name);
  const result = capture.transient(z.shape.slice(0, -1), name);
  const count = sizeOf(result.shape);
  const pairs = count % 2 === 0;
  const items = pairs ? count / 2 : count;
  capture.dispatch({
    kernel: spectrumKernel(name, pairs),
    bindings: { z, result },
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
export function spectrumBackward(
  capture: Capture,
  z: TensorRef,
  dy: TensorRef,
  name: SpectrumFunction,
): TensorRef {
  checkComplex(z.shape, name);
  const result = capture.transient(z.shape, `${name}Backward`);
  const count = sizeOf(dy.shape);
  const pairs = count % 2 === 0;
  const items = pairs ? count / 2 : count;
  capture.dispatch({
    kernel: gradientKernel(name, pairs),
    bindings: { z, dy, result },
    params: { items },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}
