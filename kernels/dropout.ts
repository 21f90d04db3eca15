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
import type { Capture } from "../device/capture.ts";
import { defineKernel } from "../device/kernel.ts";
import { sizeOf, type TensorRef } from "../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "./grid.ts";
import {
  DISTRIBUTIONS,
  eventThreshold,
  KEY_PARAMS,
  keyParams,
  PHILOX,
  RANDOM_WORDS,
} from "./philox.ts";

/** A dropout at one place. */
export interface DropoutOptions {
  /** Probability of dropping an element, in [0, 1). */
  readonly p: number;
  /** Random stream of its own. */
  readonly stream: number;
}

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
  { p, stream }: DropoutOptions,
): TensorRef {
  const [samples] = x.shape;
  if (!(p >= 0 && p < 1) || samples === undefined) {
    throw new RangeError(
      `Cannot drop out: p must lie in [0, 1) and the tensor must have a sample axis, got ${p} and rank ${x.shape.length}`,
    );
  }
  const length = sizeOf(x.shape) / samples;
  const packed = length % 4 === 0;
  const quads = Math.ceil(length / 4);
  const items = packed ? samples * quads : samples * length;
  const type = packed ? "vec4f" : "f32";
  const result = capture.transient(x.shape, "dropout");
  capture.dispatch({
    kernel: defineKernel({
      name: `dropout.${type}`,
      bindings: {
        key: { type: "vec4u", access: "read" },
        x: { type, access: "read" },
        result: { type, access: "write" },
      },
      params: {
        ...KEY_PARAMS,
        items: "u32",
        sampleItems: "u32",
        threshold: "u32",
        factor: "f32",
      },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}${PHILOX}${DISTRIBUTIONS}${RANDOM_WORDS}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let n = i / params.sampleItems;
  let e = i % params.sampleItems;
  let dropped = event4(randomWords(n, ${packed ? "e" : "e / 4u"}), params.threshold);
  result[i] = select(params.factor * x[i], ${type}(0.0), dropped${packed ? "" : "[e % 4u]"});
}`,
    }),
    bindings: { key, x, result },
    params: {
      ...keyParams(key, samples, stream),
      items,
      sampleItems: packed ? quads : length,
      threshold: eventThreshold(p),
      factor: 1 / (1 - p),
    },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}
