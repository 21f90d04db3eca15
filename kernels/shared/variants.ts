/**
 * Which of several kernels computes an op. Matrix products and convolutions come in five families that
 * agree within round-off:
 *
 * - `subgroup`: operands reach other lanes by broadcast; for CPU drivers, whose lanes are a SIMD vector.
 *   Where those broadcast slowly, each lane loads for itself;
 * - `texture`: the same, with operands that are copied into textures first, which CPU drivers read so
 *   much faster than buffers that the copies pay;
 * - `tiled`: operands are shared through workgroup memory; for graphics cards;
 * - `matrix`: the same, multiplied on matrix units; where WebGPU grants those (Dawn does), for tensors of
 *   what they multiply, which is f16 on most cards, and only where the tuner found it fastest;
 * - `plain`: an invocation an element; everywhere, and the measure of the others.
 *
 * A launcher lists what fits its sizes and {@linkcode chooseVariant} picks, by what was measured on this
 * adapter where a table is given, else by the width of the subgroups.
 *
 * @module
 */
import { isCpu } from "../../device/cpu_lanes.ts";
import type { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import { MATRIX_FEATURE } from "../../device/matrix_units.ts";
import type { TensorRef } from "../../device/tensor.ts";

/** The families. */
export const VARIANT_FAMILIES = ["plain", "subgroup", "texture", "tiled", "matrix"] as const;

/** The families that can be forced on any adapter. */
export const PORTABLE_FAMILIES = ["plain", "subgroup", "texture", "tiled"] as const;

/** A family of kernels. */
export type VariantFamily = typeof VARIANT_FAMILIES[number];

/** One way of computing an op. */
export interface Variant {
  readonly family: VariantFamily;
  /** Unique among the variants of an op and stable between releases, such as `tiled64x64`. */
  readonly name: string;
  /** Known to be many times slower than others on such an adapter, so that measuring is a waste. */
  readonly hopeless?: boolean;
  /** Records the dispatches and returns the result; must not depend on the other variants. */
  record(capture: Capture): TensorRef;
}

/** How variants are picked on a GPU. */
export interface VariantPolicy {
  /**
   * Take this family wherever it fits (`subgroup` where `texture` does not, `tiled` where `matrix` does
   * not) and `plain` elsewhere; for tests and comparisons.
   */
  readonly forced?: VariantFamily;
  /** Names of variants by key; keys and names that are unknown fall back to the default. */
  readonly table?: ReadonlyMap<string, string>;
  /** Told of every choice. */
  readonly observe?: (key: string, variants: readonly Variant[], chosen: Variant) => void;
}

/** What {@linkcode Gpu.attached} has the policy under. */
const POLICY = Symbol("variant policy");

/**
 * Sets how variants are picked in later captures on `gpu`; an empty policy restores the default.
 *
 * @throws {RangeError} When `matrix` is forced on an adapter without matrix units.
 */
export function setVariantPolicy(gpu: Gpu, policy: VariantPolicy): void {
  if (policy.forced === "matrix" && gpu.matrixShapes.length === 0) {
    throw new RangeError(
      `Cannot force kernels of the family matrix: the adapter must grant matrix units with sums in f32 (${MATRIX_FEATURE}), which ${gpu.description} does not; only Dawn asks for them, see DIFFRACT_GPU=dawn`,
    );
  }
  gpu.attached.set(POLICY, policy);
}

/** How variants are picked on `gpu`. */
export function variantPolicy(gpu: Gpu): VariantPolicy {
  return gpu.attached.get(POLICY) as VariantPolicy | undefined ?? {};
}

/** Whether kernels of one form take textures where those are faster: a CPU driver's. */
export function readsTextures(gpu: Gpu): boolean {
  const { forced = "texture" } = variantPolicy(gpu);
  return isCpu(gpu) && forced === "texture";
}

/**
 * Picks a variant.
 *
 * @param key Everything about the op that may change which variant is fastest, as text.
 * @param variants Those that fit, best guess of each family first; `plain` must be among them.
 * @param preferred Taken where nothing is forced or measured; by the width of the subgroups unless
 *   given.
 * @throws {TypeError} When no variant is plain.
 */
export function chooseVariant(
  capture: Capture,
  key: string,
  variants: readonly Variant[],
  preferred?: Variant,
): Variant {
  const { forced, table, observe } = variantPolicy(capture.gpu);
  const of = (family: VariantFamily): Variant | undefined =>
    variants.find((variant) => variant.family === family) ??
      (family === "texture" ? of("subgroup") : family === "matrix" ? of("tiled") : undefined);
  const plain = of("plain");
  if (!plain) throw new TypeError(`Cannot choose a variant of ${key}: one must be plain`);
  const guess = isCpu(capture.gpu) ? of("texture") ?? of("tiled") : of("tiled") ?? of("subgroup");
  const measured = variants.find(({ name }) => name === table?.get(key));
  const chosen = forced ? of(forced) ?? plain : measured ?? preferred ?? guess ?? plain;
  observe?.(key, variants, chosen);
  return chosen;
}

/** Picks a variant and records it. */
export function recordVariant(
  capture: Capture,
  key: string,
  variants: readonly Variant[],
): TensorRef {
  return chooseVariant(capture, key, variants).record(capture);
}
