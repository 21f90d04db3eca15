/**
 * Linear combinations with coefficients that depend on a sample's timestep:
 *
 *     y[n] = sum_i table_i[t[n]] x_i[n]
 *
 * The forward process is one of them: x_t = sqrt(A_t) x_0 + sqrt(1 - A_t) e (Ho et al. 2020, arXiv
 * 2006.11239, equation 4); so are the targets that a network is trained for.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, full } from "../../device/element.ts";
import { type BindingSpec, defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** One term: a tensor `[N, ...]` and its coefficients, f32 `[T]`. */
export interface Term {
  readonly table: TensorRef;
  readonly x: TensorRef;
}

/** Terms that fit into a kernel's eight bindings. */
const MAX_TERMS = 3;

/**
 * The sum of one to three terms, of the shape of `x`.
 *
 * @param timesteps u32 `[N]`, each below T.
 * @throws {RangeError} When shapes differ or there are no terms or more than three.
 * @throws {TypeError} When `timesteps` are not u32.
 */
export function linearCombination(
  capture: Capture,
  timesteps: TensorRef,
  terms: readonly Term[],
): TensorRef {
  const shape = terms[0]?.x.shape ?? [];
  const [samples] = shape;
  if (
    terms.length < 1 || terms.length > MAX_TERMS ||
    terms.some(({ x }) => formatShape(x.shape) !== formatShape(shape)) ||
    samples !== sizeOf(timesteps.shape)
  ) {
    throw new RangeError(
      `Cannot combine tensors: there must be 1 to ${MAX_TERMS} of one shape and a timestep a sample, got ${
        terms.map(({ x }) => formatShape(x.shape)).join(", ") || "none"
      } and ${sizeOf(timesteps.shape)} timesteps`,
    );
  }
  if (timesteps.dtype !== "u32") {
    throw new TypeError(`Cannot combine tensors: timesteps must be u32, got ${timesteps.dtype}`);
  }
  const length = sizeOf(shape) / samples;
  const width = length % 4 === 0 ? 4 : 1;
  const type = full(width);
  const result = capture.transient(shape, "linearCombination");
  const specs: Record<string, BindingSpec> = {
    timesteps: { type: elementOf("u32", 1), access: "read" },
  };
  const bindings: Record<string, TensorRef> = { timesteps };
  terms.forEach(({ table, x }, i) => {
    specs[`table${i}`] = { type: full(1), access: "read" };
    specs[`x${i}`] = { type, access: "read" };
    bindings[`table${i}`] = table;
    bindings[`x${i}`] = x;
  });
  const items = sizeOf(shape) / width;
  capture.dispatch({
    kernel: defineKernel({
      name: `linearCombination${terms.length}.${type}`,
      bindings: { ...specs, result: { type, access: "write" } },
      params: { items: "u32", sampleItems: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let t = timesteps[i / params.sampleItems];
  result[i] = ${terms.map((_, k) => `table${k}[t] * x${k}[i]`).join(" + ")};
}`,
    }),
    bindings: { ...bindings, result },
    params: { items, sampleItems: length / width },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}

/**
 * `x_t` of clean images and noise of one shape (equation 4).
 *
 * @param tables `signal` = sqrt(A_t) and `noise` = sqrt(1 - A_t), each f32 `[T]`.
 * @param timesteps u32 `[N]`.
 */
export function qSample(
  capture: Capture,
  x0: TensorRef,
  noise: TensorRef,
  timesteps: TensorRef,
  tables: { readonly signal: TensorRef; readonly noise: TensorRef },
): TensorRef {
  return linearCombination(capture, timesteps, [
    { table: tables.signal, x: x0 },
    { table: tables.noise, x: noise },
  ]);
}
