/**
 * One update of a sampler, for every solver whose step is linear but for a clip. With x the image, f
 * the network's output and z noise:
 *
 *     x0 = xToX0 x + fToX0 f,  clipped to [-range, range] when `clip`
 *     x' = fromX0 x0 + fromX x + fromF f + noise z + fromBefore x0 of the step before
 *          + sum_i fromKept_i kept_i
 *
 * and what is kept for later steps is a combination of the same images, as they were before. The
 * coefficients are a run-time tensor, so one program serves all steps.
 *
 * With a limit s for each sample the clip may be Imagen's dynamic thresholding instead (Saharia et al.
 * 2022, arXiv 2205.11487, section 2.3): x0 clipped to [-s, s] and divided by s.
 *
 * CFG++ (Chung et al. 2024, arXiv 2406.08070, algorithm 2) takes the image from the guided output and the
 * noise from what the network says of no class: with x0u of the latter, and the signal of the result,
 *
 *     x' = fromX0 x0u + fromX x + fromF u + noise z + signal (x0 - x0u)
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { type BindingSpec, defineKernel, type ParamType } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import { boundNames, onceName } from "../shared/pointwise.ts";

/** Length of the tensor of coefficients where nothing is kept. */
export const SAMPLER_SCALARS = 8;
/** Coefficients of what a register becomes, before those of the kept images: whether it changes; x0, x, f and the x0 before. */
const KEEP_SCALARS = 5;

/** The bound of a step that thresholds. */
const THRESHOLDED = -1;

/** Length of the tensor of coefficients with some registers of kept images. */
export function samplerScalarCount(registers: number): number {
  return SAMPLER_SCALARS + registers * (1 + KEEP_SCALARS + registers);
}

/** Shares in what a register becomes. */
export interface KeptShares {
  /** Of the predicted x0. */
  readonly x0?: number;
  /** Of x. */
  readonly x?: number;
  /** Of the network's output. */
  readonly f?: number;
  /** Of the x0 that the step before predicted. */
  readonly before?: number;
  /** Of the kept images. */
  readonly kept?: readonly number[];
}

/** Dynamic thresholding of the predicted x0: the limit is a quantile of its absolute values. */
export interface Threshold {
  /** Share of the values that lie within the limit, 0 to 1. */
  readonly ratio: number;
  /** The largest limit; the smallest is 1. */
  readonly most: number;
}

/** The coefficients of a step. */
export interface SamplerCoefficients {
  /** Share of x in the predicted x0. */
  readonly xToX0: number;
  /** Share of the network's output in the predicted x0. */
  readonly fToX0: number;
  /** Whether the predicted x0 is clipped to [-range, range]. */
  readonly clip: boolean;
  /** Where it is clipped to; 1 unless given. */
  readonly range?: number;
  /** Clips by dynamic thresholding instead. */
  readonly threshold?: Threshold;
  /** Share of the predicted x0 in the result. */
  readonly fromX0: number;
  /** Share of x in the result. */
  readonly fromX: number;
  /** Share of the network's output in the result. */
  readonly fromF: number;
  /** Share of the noise in the result. */
  readonly noise: number;
  /** Share of the x0 that the step before predicted; 0 unless given. */
  readonly fromBefore?: number;
  /** Shares of the kept images; 0 unless given. */
  readonly fromKept?: readonly number[];
  /** What the kept images become; null, or nothing, leaves one as it is. */
  readonly keep?: readonly (KeptShares | null)[];
}

/** The coefficients of a step of CFG++: those of {@linkcode samplerScalars} and the signal of its result. */
export function unguidedNoiseScalars(
  step: SamplerCoefficients,
  signal: number,
): Float32Array<ArrayBuffer> {
  return Float32Array.of(...samplerScalars(step), signal);
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
  /** Kept images `[registers, ...shape of x]`; comes with `predicted`. */
  readonly kept?: TensorRef;
  /** The limit of each sample where a step thresholds, f32 `[n]`. */
  readonly limits?: TensorRef;
  /** The network's output without a class, which CFG++ takes the noise from; then nothing is kept. */
  readonly unguided?: TensorRef;
}

/**
 * The coefficients as {@linkcode samplerStep} reads them, each cast to f32 once.
 *
 * @param registers Of the kept images; 0 unless given.
 */
export function samplerScalars(
  step: SamplerCoefficients,
  registers = 0,
): Float32Array<ArrayBuffer> {
  const { xToX0, fToX0, clip, range = 1, fromX0, fromX, fromF, noise, fromBefore = 0 } = step;
  const bound = step.threshold ? THRESHOLDED : clip ? range : 0;
  const padded = (list: readonly number[] = []) =>
    Array.from({ length: registers }, (_, i) => list[i] ?? 0);
  const keep = Array.from({ length: registers }, (_, i) => {
    const shares = step.keep?.[i];
    const { x0 = 0, x = 0, f = 0, before = 0, kept } = shares ?? {};
    return [shares ? 1 : 0, x0, x, f, before, ...padded(kept)];
  });
  return Float32Array.of(
    ...[xToX0, fToX0, fromX0, fromX, fromF, noise, bound, fromBefore],
    ...padded(step.fromKept),
    ...keep.flat(),
  );
}

/**
 * WGSL that adds kept images to the result `next` and writes what they become, from `clean`, `image`,
 * `output` and `before`. A share of 0 must not read what an earlier image left: 0 times what is not finite
 * is not 0.
 *
 * @param first What is added to the place of a coefficient, as "at + "; nothing unless given.
 */
export function keeping(registers: number, first = ""): string {
  const list = Array.from({ length: registers }, (_, r) => r);
  const scalar = (at: number) => `scalars[${first}${at}]`;
  const add = (to: string, share: number, image: string) =>
    `if (${scalar(share)} != 0.0) { ${to} += ${scalar(share)} * ${image}; }`;
  const becomes = list.map((r) => {
    const at = SAMPLER_SCALARS + registers + r * (KEEP_SCALARS + registers);
    return `
  if (${scalar(at)} != 0.0) {
    var now = ${scalar(at + 1)} * clean + ${scalar(at + 2)} * image + ${scalar(at + 3)} * output;
    ${add("now", at + 4, "before")}
    ${list.map((k) => add("now", at + KEEP_SCALARS + k, `kept${k}`)).join("\n    ")}
    kept[${r} * params.items + i] = now;
  }`;
  });
  return `
  ${list.map((r) => `let kept${r} = kept[${r} * params.items + i];`).join("\n  ")}
  ${list.map((r) => add("next", SAMPLER_SCALARS + r, `kept${r}`)).join("\n  ")}${becomes.join("")}`;
}

/**
 * The image after a step.
 *
 * @param scalars Of {@linkcode samplerScalars}, 8 where nothing is kept; with `unguided` those of
 * {@linkcode unguidedNoiseScalars}.
 * @throws {RangeError} When shapes differ, or `unguided` comes with kept images or limits.
 */
export function samplerStep(
  capture: Capture,
  { x, f, z, predicted, kept, limits, unguided }: SamplerTensors,
  scalars: TensorRef,
): TensorRef {
  if (unguided && (kept || limits)) {
    throw new RangeError(
      "Cannot take a sampling step: what says the noise apart must come without kept images and limits",
    );
  }
  const shapes = [x, f, z, predicted ?? x, unguided ?? x].map(({ shape }) => formatShape(shape));
  const registers = kept && predicted ? kept.shape[0]! : 0;
  if (kept) shapes.push(formatShape(kept.shape.slice(1)));
  const coefficients = samplerScalarCount(registers) + (unguided ? 1 : 0);
  if (new Set(shapes).size !== 1 || sizeOf(scalars.shape) !== coefficients) {
    throw new RangeError(
      `Cannot take a sampling step: image, output, noise and prediction must have one shape and scalars ${coefficients}, got ${
        shapes.join(", ")
      } and ${formatShape(scalars.shape)}`,
    );
  }
  const count = sizeOf(x.shape), length = count / (limits ? sizeOf(limits.shape) : 1);
  const width = length % 4 === 0 ? 4 : 1;
  const type = full(width);
  const result = capture.transient(x.shape, "samplerStep");
  // A step without noise may be given any tensor for it, and one without a network any output.
  const given: Record<string, TensorRef> = { x, f, z, ...unguided && { unguided } };
  const bound = boundNames(Object.keys(given), given), [, ofF, ofZ, ofUnguided] = bound;
  const specs: Record<string, BindingSpec> = {
    ...Object.fromEntries(bound.map((name) => [name, { type, access: "read" } as const])),
    scalars: { type: full(1), access: "read" },
    result: { type, access: "write" },
  };
  const bindings: Record<string, TensorRef> = { ...given, scalars, result };
  let remember = "", threshold = "", noiseFrom = "";
  const sizes: Record<string, ParamType> = { items: "u32" };
  const values: Record<string, number> = { items: count / width };
  if (limits) {
    sizes.sampleItems = "u32";
    values.sampleItems = length / width;
    specs.limits = { type: full(1), access: "read" };
    bindings.limits = limits;
    threshold = `
  if (scalars[6] < 0.0) {
    let limit = limits[i / params.sampleItems];
    clean = clamp(clean, V(-limit), V(limit)) / limit;
  }`;
  }
  if (unguided) {
    noiseFrom = `
  let told = ${ofUnguided}[i];
  var plain = scalars[0] * image + scalars[1] * told;
  if (scalars[6] > 0.0) { plain = clamp(plain, V(-scalars[6]), V(scalars[6])); }
  next = (scalars[2] * plain + scalars[3] * image) + (scalars[4] * told + scalars[5] * ${ofZ}[i]);
  next += scalars[${SAMPLER_SCALARS}] * (clean - plain);`;
  }
  if (predicted) {
    specs.predicted = { type, access: "read_write" };
    bindings.predicted = predicted;
    if (kept) {
      specs.kept = { type, access: "read_write" };
      bindings.kept = kept;
    }
    // A first step must not read what an earlier image left: 0 times what is not finite is not 0.
    remember = `
  if (scalars[7] != 0.0) { next += scalars[7] * predicted[i]; }${
      registers > 0
        ? `
  let before = predicted[i];${keeping(registers)}`
        : ""
    }
  predicted[i] = clean;`;
  }
  capture.dispatch({
    kernel: defineKernel({
      name: `samplerStep.${predicted ? "remembering." : ""}${
        registers > 0 ? `keeping${registers}.` : ""
      }${limits ? "thresholding." : ""}${unguided ? "unguidedNoise." : ""}${type}${
        onceName(bound)
      }`,
      bindings: specs,
      params: sizes,
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `alias V = ${type};
${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let image = x[i];
  let output = ${ofF}[i];
  var clean = scalars[0] * image + scalars[1] * output;
  if (scalars[6] > 0.0) { clean = clamp(clean, V(-scalars[6]), V(scalars[6])); }${threshold}
  var next = (scalars[2] * clean + scalars[3] * image) + (scalars[4] * output + scalars[5] * ${ofZ}[i]);${noiseFrom}${remember}
  result[i] = next;
}`,
    }),
    bindings,
    params: values,
    workgroups: flatGrid(count / width, STREAM_WORKGROUP),
  });
  return result;
}
