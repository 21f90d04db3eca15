/**
 * Tensors of random numbers; philox.ts has the generator, the distributions and the keys.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, type ElementType } from "../../device/element.ts";
import { defineKernel, type ParamType } from "../../device/kernel.ts";
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

/** What is to be drawn. */
export interface Draw {
  /** Samples N. */
  readonly samples: number;
  /** Shape of a sample; the result is `[N, ...shape]`. */
  readonly shape: readonly number[];
  /** Stream; draws of one step that must differ have different streams. */
  readonly stream: number;
}

/** Uniform numbers in (0, 1], steps of 2^-24. */
export function randomUniform(capture: Capture, key: TensorRef, draw: Draw): TensorRef {
  return record(capture, key, draw, { name: "randomUniform", value: "uniform4(words)" });
}

/** Standard normal numbers. */
export function randomNormal(capture: Capture, key: TensorRef, draw: Draw): TensorRef {
  return record(capture, key, draw, { name: "randomNormal", value: "normal4(words)" });
}

/**
 * Integers from 0 to `below` - 1 as u32; probabilities differ from 1 / below by less than 2^-32.
 *
 * @throws {RangeError} When `below` is not an integer from 1 to 2^32 - 1.
 */
export function randomIntegers(
  capture: Capture,
  key: TensorRef,
  { below, ...draw }: Draw & { readonly below: number },
): TensorRef {
  if (!Number.isInteger(below) || below < 1 || below >= 2 ** 32) {
    throw new RangeError(
      `Cannot draw random integers: their number must be an integer from 1 to 2^32 - 1, got ${below}`,
    );
  }
  const value = "integer4(words, params.argument)";
  return record(capture, key, draw, { name: "randomIntegers", value, argument: below }, "u32");
}

/**
 * Ones with the given probability (in steps of 2^-24), else zeros, as f32.
 *
 * @throws {RangeError} When the probability is not in [0, 1].
 */
export function randomBernoulli(
  capture: Capture,
  key: TensorRef,
  { probability, ...draw }: Draw & { readonly probability: number },
): TensorRef {
  const value = "select(vec4f(0.0), vec4f(1.0), event4(words, params.argument))";
  const argument = eventThreshold(probability);
  return record(capture, key, draw, { name: "randomBernoulli", value, argument });
}

/** Laplace's numbers: mean + scale times a sign and an exponential number, both of one word. */
export function randomLaplace(
  capture: Capture,
  key: TensorRef,
  { mean, scale, ...draw }: Draw & { readonly mean: number; readonly scale: number },
): TensorRef {
  const value = "vec4f(params.mean) + params.scale * laplace4(words)";
  return record(capture, key, draw, { name: "randomLaplace", value, numbers: { mean, scale } });
}

/**
 * 1 and -1 with the given probabilities (in steps of 2^-24), else 0, as f32.
 *
 * @throws {RangeError} When a probability, or their sum, is not in [0, 1].
 */
export function randomSaltPepper(
  capture: Capture,
  key: TensorRef,
  { salt, pepper, ...draw }: Draw & { readonly salt: number; readonly pepper: number },
): TensorRef {
  const both = eventThreshold(salt + pepper), argument = eventThreshold(salt);
  const value = "select(select(vec4f(0.0), vec4f(-1.0), event4(words, params.both)), vec4f(1.0), " +
    "event4(words, params.argument))";
  return record(capture, key, draw, { name: "randomSaltPepper", value, argument, both });
}

/** An invocation draws four neighbouring elements of a sample. */
function record(
  capture: Capture,
  key: TensorRef,
  { samples, shape, stream }: Draw,
  { name, value, argument, both, numbers = {} }: {
    name: string;
    value: string;
    argument?: number;
    both?: number;
    numbers?: Readonly<Record<string, number>>;
  },
  dtype: "f32" | "u32" = "f32",
): TensorRef {
  const length = sizeOf(shape);
  const packed = length % 4 === 0;
  const quads = Math.ceil(length / 4);
  const items = samples * quads;
  const type: ElementType = elementOf(dtype, packed ? 4 : 1);
  const params: Record<string, ParamType> = {
    ...KEY_PARAMS,
    items: "u32",
    quads: "u32",
    sampleLength: "u32",
    ...(argument === undefined ? {} : { argument: "u32" }),
    ...(both === undefined ? {} : { both: "u32" }),
    ...Object.fromEntries(Object.keys(numbers).map((key) => [key, "f32" as const])),
  };
  const result = capture.transient([samples, ...shape], name, dtype);
  capture.dispatch({
    kernel: defineKernel({
      name: `${name}.${type}`,
      bindings: {
        key: { type: elementOf("u32", 4), access: "read" },
        result: { type, access: "write" },
      },
      params,
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}${PHILOX}${DISTRIBUTIONS}${RANDOM_WORDS}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let n = i / params.quads;
  let quad = i % params.quads;
  let words = randomWords(n, quad);
  let value = ${value};
  ${packed ? "result[i] = value;" : storeQuad("value")}
}`,
    }),
    bindings: { key, result },
    params: {
      ...keyParams(key, samples, stream),
      items,
      quads,
      sampleLength: length,
      ...(argument === undefined ? {} : { argument }),
      ...(both === undefined ? {} : { both }),
      ...numbers,
    },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}

/** WGSL: stores the part of a vec4 that lies inside the sample. */
function storeQuad(value: string): string {
  const lines = ["x", "y", "z", "w"].map((component, k) =>
    `if (4u * quad + ${k}u < params.sampleLength) { result[at + ${k}u] = ${value}.${component}; }`
  );
  return `let at = n * params.sampleLength + 4u * quad;\n  ${lines.join("\n  ")}`;
}
