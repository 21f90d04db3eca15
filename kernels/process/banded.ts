/**
 * Linear combinations and sampler updates whose coefficients differ by frequency. Tensors are transforms
 * of images, `[N, H, W, C]` and real (Hartley or cosine), and each point of a plane belongs to a band, of
 * which there are B:
 *
 *     Y[n, k] = sum_i table_i[t[n], band(k)] X_i[n, k]
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, full } from "../../device/element.ts";
import { type BindingSpec, defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import type { Term } from "./q_sample.ts";
import { keeping, samplerScalarCount } from "./sampler_step.ts";

/** The bands of a plane's points. */
export interface BandIndex {
  /** The band of each point, u32 `[H W]`. */
  readonly index: TensorRef;
  /** Bands B. */
  readonly count: number;
}

/** Terms that fit into a kernel's eight bindings. */
const MAX_TERMS = 2;

const OPENING = `@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let band = bands[(i / params.channels) % params.points];`;

const SIZES = { items: "u32", channels: "u32", points: "u32" } as const;

function sizesOf({ shape }: TensorRef) {
  const [, height = 1, width = 1, channels = 1] = shape;
  return { items: sizeOf(shape), channels, points: height * width };
}

/**
 * The sum of one to three terms.
 *
 * @param timesteps u32 `[N]`, each below T.
 * @param terms With tables f32 `[T, B]`, for tensors `[N, H, W, C]`.
 * @throws {RangeError} When shapes differ or there are no terms or more than three.
 */
export function bandedCombination(
  capture: Capture,
  timesteps: TensorRef,
  terms: readonly Term[],
  bands: BandIndex,
): TensorRef {
  const [first] = terms, shape = first?.x.shape ?? [];
  const [samples, height = 0, width = 0] = shape;
  if (
    !first || terms.length > MAX_TERMS + 1 || samples !== sizeOf(timesteps.shape) ||
    height * width !== sizeOf(bands.index.shape) ||
    terms.some(({ x, table }) =>
      formatShape(x.shape) !== formatShape(shape) || sizeOf(table.shape) % bands.count !== 0
    )
  ) {
    throw new RangeError(
      `Cannot combine by frequency: there must be 1 to ${
        MAX_TERMS + 1
      } tensors of one shape with ` +
        `${sizeOf(bands.index.shape)} points a plane and a timestep a sample, got ${
          terms.map(({ x }) => formatShape(x.shape)).join(", ") || "none"
        } and ${sizeOf(timesteps.shape)} timesteps`,
    );
  }
  // Three terms would take nine bindings: the third is added to the sum of the others.
  const result = part(capture, timesteps, terms.slice(0, MAX_TERMS), bands, null);
  const rest = terms.slice(MAX_TERMS);
  return rest.length === 0 ? result : part(capture, timesteps, rest, bands, result);
}

function part(
  capture: Capture,
  timesteps: TensorRef,
  terms: readonly Term[],
  bands: BandIndex,
  sum: TensorRef | null,
): TensorRef {
  const { x } = terms[0]!;
  const result = capture.transient(x.shape, "bandedCombination");
  const type = full(1);
  const specs: Record<string, BindingSpec> = {
    timesteps: { type: elementOf("u32", 1), access: "read" },
    bands: { type: elementOf("u32", 1), access: "read" },
  };
  const bindings: Record<string, TensorRef> = { timesteps, bands: bands.index };
  terms.forEach(({ table, x }, k) => {
    specs[`table${k}`] = { type, access: "read" };
    specs[`x${k}`] = { type, access: "read" };
    bindings[`table${k}`] = table;
    bindings[`x${k}`] = x;
  });
  if (sum) {
    specs.sum = { type, access: "read" };
    bindings.sum = sum;
  }
  const sizes = sizesOf(x);
  capture.dispatch({
    kernel: defineKernel({
      name: `bandedCombination${terms.length}${sum ? ".sum" : ""}`,
      bindings: { ...specs, result: { type, access: "write" } },
      params: { ...SIZES, count: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
${OPENING}
  let at = timesteps[i / (params.points * params.channels)] * params.count + band;
  result[i] = ${sum ? "sum[i] + " : ""}${
        terms.map((_, k) => `table${k}[at] * x${k}[i]`).join(" + ")
      };
}`,
    }),
    bindings: { ...bindings, result },
    params: { ...sizes, count: bands.count },
    workgroups: flatGrid(sizes.items, STREAM_WORKGROUP),
  });
  return result;
}

/** The coefficients of a step, f32 `[B, samplerScalarCount(registers)]`, and whose they are. */
export interface BandedScalars {
  readonly scalars: TensorRef;
  readonly bands: BandIndex;
}

/** The coefficients of a step, f32 `[B, samplerScalarCount(registers)]`, and whose they are. */
export interface BandedScalars {
  readonly scalars: TensorRef;
  readonly bands: BandIndex;
}

/** What a step goes by: the transforms of images one after another, `[4 N, H, W, C]`. */
export interface BandedStack {
  /** Of the image, the network's output, the noise, and the x0 of the step before. */
  readonly known: TensorRef;
}

/**
 * Four tensors of one shape `[N, ...]` one after another, so that one transform serves them: `[4 N, ...]`.
 */
export function stacked(
  capture: Capture,
  tensors: readonly [TensorRef, TensorRef, TensorRef, TensorRef],
): TensorRef {
  const [{ shape: [samples = 0, ...rest] }] = tensors, type = full(1);
  const items = sizeOf(tensors[0].shape);
  const result = capture.transient([tensors.length * samples, ...rest], "stacked");
  const names = tensors.map((_, i) => `x${i}`);
  capture.dispatch({
    kernel: defineKernel({
      name: "stacked",
      bindings: {
        ...Object.fromEntries(names.map((name) => [name, { type, access: "read" as const }])),
        result: { type, access: "write" as const },
      },
      params: { items: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
${names.map((name, k) => `  result[${k}u * params.items + i] = ${name}[i];`).join("\n")}
}`,
    }),
    bindings: {
      ...Object.fromEntries(names.map((name, i) => [name, tensors[i]!])),
      result,
    },
    params: { items },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}

/** The predicted x0 before it is clipped, xToX0 x + fToX0 f. */
export function bandedClean(
  capture: Capture,
  { known }: BandedStack,
  { scalars, bands }: BandedScalars,
): TensorRef {
  const [stack = 0, ...rest] = known.shape, type = full(1);
  const result = capture.transient([stack / 4, ...rest], "bandedClean"), sizes = sizesOf(result);
  capture.dispatch({
    kernel: defineKernel({
      name: "bandedClean",
      bindings: {
        known: { type, access: "read" },
        bands: { type: elementOf("u32", 1), access: "read" },
        scalars: { type, access: "read" },
        result: { type, access: "write" },
      },
      params: { ...SIZES, count: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
${OPENING}
  let at = band * params.count;
  result[i] = scalars[at] * known[i] + scalars[at + 1u] * known[params.items + i];
}`,
    }),
    bindings: { known, bands: bands.index, scalars, result },
    params: { ...sizes, count: sizeOf(scalars.shape) / bands.count },
    workgroups: flatGrid(sizes.items, STREAM_WORKGROUP),
  });
  return result;
}

/** The predicted images, clipped where the step clips; of the coefficients only the bound is read. */
export function clippedPrediction(
  capture: Capture,
  x: TensorRef,
  scalars: TensorRef,
): TensorRef {
  const result = capture.transient(x.shape, "clippedPrediction"), type = full(1);
  const items = sizeOf(x.shape);
  capture.dispatch({
    kernel: defineKernel({
      name: "clippedPrediction",
      bindings: {
        x: { type, access: "read" },
        scalars: { type, access: "read" },
        result: { type, access: "write" },
      },
      params: { items: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let bound = scalars[6];
  result[i] = select(x[i], clamp(x[i], -bound, bound), bound > 0.0);
}`,
    }),
    bindings: { x, scalars, result },
    params: { items },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}

/** Transforms that an update is made from. */
export interface BandedStepTensors extends BandedStack {
  /** The predicted x0 as it comes, `[N, H, W, C]`. */
  readonly clean: TensorRef;
  /** The same after clipping. */
  readonly clipped: TensorRef;
  /** Kept images, transforms themselves: `[registers, N, H, W, C]`. */
  readonly kept?: TensorRef | undefined;
}

/**
 * The transform of the image after a step: `samplerStep` with coefficients by band.
 *
 * @throws {RangeError} When the number of coefficients does not fit.
 */
export function bandedStep(
  capture: Capture,
  { known, clean, clipped, kept }: BandedStepTensors,
  { scalars, bands }: BandedScalars,
): TensorRef {
  const registers = kept?.shape[0] ?? 0, count = samplerScalarCount(registers);
  if (sizeOf(scalars.shape) !== count * bands.count) {
    throw new RangeError(
      `Cannot take a sampling step by frequency: there must be ${count} coefficients for each of ` +
        `${bands.count} bands, got ${sizeOf(scalars.shape)}`,
    );
  }
  const result = capture.transient(clean.shape, "bandedStep"), type = full(1);
  const sizes = sizesOf(clean);
  const specs: Record<string, BindingSpec> = {
    known: { type, access: "read" },
    raw: { type, access: "read" },
    clipped: { type, access: "read" },
    bands: { type: elementOf("u32", 1), access: "read" },
    scalars: { type, access: "read" },
    result: { type, access: "write" },
  };
  const bindings: Record<string, TensorRef> = {
    ...{ known, raw: clean, clipped, bands: bands.index, scalars, result },
  };
  if (kept) {
    specs.kept = { type, access: "read_write" };
    bindings.kept = kept;
  }
  capture.dispatch({
    kernel: defineKernel({
      name: `bandedStep${registers > 0 ? `.keeping${registers}` : ""}`,
      bindings: specs,
      params: { ...SIZES, count: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
${OPENING}
  let at = band * params.count;
  let image = known[i];
  let output = known[params.items + i];
  // Not through pixels where nothing clips: what is far amplified there would spoil what is not.
  let clean = select(raw[i], clipped[i], scalars[at + 6u] > 0.0);
  var next = (scalars[at + 2u] * clean + scalars[at + 3u] * image) +
    (scalars[at + 4u] * output + scalars[at + 5u] * known[2u * params.items + i]);
  let before = known[3u * params.items + i];
  // A share of 0 must not read what an earlier image left: 0 times what is not finite is not 0.
  if (scalars[at + 7u] != 0.0) { next += scalars[at + 7u] * before; }${
        registers > 0 ? keeping(registers, "at + ") : ""
      }
  result[i] = next;
}`,
    }),
    bindings,
    params: { ...sizes, count },
    workgroups: flatGrid(sizes.items, STREAM_WORKGROUP),
  });
  return result;
}
