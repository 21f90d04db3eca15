/**
 * Dropout (Srivastava et al. 2014), scaled so that its mean is the identity:
 *
 *     y = x m / (1 - p),   m = 0 with probability p, else 1
 *
 * The mask is never stored: element e of sample n (axis 0) is dropped by the random word of its
 * counter (see philox.ts), so the gradient draws it again.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import {
  DISTRIBUTIONS,
  eventThreshold,
  KEY_PARAMS,
  keyParams,
  PHILOX,
  RANDOM_WORDS,
} from "../shared/philox.ts";

/** A dropout at one place. */
export interface DropoutOptions {
  /** Probability of dropping an element, in [0, 1). */
  readonly p: number;
  /** Random stream of its own. */
  readonly stream: number;
}

/** Parameters of kernels that drop, with those of the random words. */
export const DROPOUT_PARAMS = { ...KEY_PARAMS, threshold: "u32", factor: "f32" } as const;

/**
 * Their values.
 *
 * @param key Random key, `[4]` or `[N, 4]`.
 * @param samples N.
 * @throws {RangeError} When `p` is not in [0, 1).
 */
export function dropoutParams(
  key: TensorRef,
  samples: number,
  { p, stream }: DropoutOptions,
): Record<keyof typeof DROPOUT_PARAMS, number> {
  if (!(p >= 0 && p < 1)) {
    throw new RangeError(`Cannot drop out: p must lie in [0, 1), got ${p}`);
  }
  const threshold = eventThreshold(p);
  return { ...keyParams(key, samples, stream), threshold, factor: 1 / (1 - p) };
}

/**
 * WGSL: `kept(x: vec4f, n: u32, quad: u32) -> vec4f`, the elements 4 quad to 4 quad + 3 of sample n after
 * dropout, from a binding `key: array<vec4u>` and {@linkcode DROPOUT_PARAMS}.
 */
export const KEPT = `${PHILOX}${DISTRIBUTIONS}${RANDOM_WORDS}
fn kept(x: vec4f, n: u32, quad: u32) -> vec4f {
  return select(params.factor * x, vec4f(0.0), event4(randomWords(n, quad), params.threshold));
}
`;

/**
 * `x m / (1 - p)` for `x` `[N, ...]`. The gradient is the same map of the upstream gradient.
 *
 * @param key Random key, `[4]` or `[N, 4]`.
 * @throws {RangeError} When `p` is not in [0, 1) or `x` has no axis.
 */
export function dropoutForward(
  capture: Capture,
  x: TensorRef,
  key: TensorRef,
  options: DropoutOptions,
): TensorRef {
  const [samples] = x.shape;
  if (samples === undefined) {
    throw new RangeError("Cannot drop out: the tensor must have a sample axis, got a scalar");
  }
  const length = sizeOf(x.shape) / samples;
  const packed = length % 4 === 0;
  const quads = Math.ceil(length / 4);
  const items = packed ? samples * quads : samples * length;
  const type = full(packed ? 4 : 1);
  const result = capture.transient(x.shape, "dropout", x.dtype);
  capture.dispatch({
    kernel: defineKernel({
      name: `dropout.${type}`,
      bindings: {
        key: { type: elementOf("u32", 4), access: "read" },
        x: { type, access: "read" },
        result: { type, access: "write" },
      },
      params: { ...DROPOUT_PARAMS, items: "u32", sampleItems: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}${KEPT}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let n = i / params.sampleItems;
  let e = i % params.sampleItems;
  result[i] = ${packed ? "kept(x[i], n, e)" : "kept(vec4f(x[i]), n, e / 4u)[e % 4u]"};
}`,
    }),
    bindings: { key, x, result },
    params: {
      ...dropoutParams(key, samples, options),
      items,
      sampleItems: packed ? quads : length,
    },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}
