/**
 * What all variants of gather.ts share: names of the sizes in either direction, the pixel that a tap
 * reads, and the epilogue.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full, type Width } from "../../device/element.ts";
import type { BindingSpec } from "../../device/kernel.ts";
import { joinedAs, type TensorRef } from "../../device/tensor.ts";
import { operandAt, type OperandSource } from "../shared/gemm.ts";
import { type Conv2dShape, convMultiplyAdds, shapeTypes, shapeValues } from "./shape.ts";

/** Which of the two sums is computed. */
export type GatherMode = "forward" | "input";

/** What the epilogue adds. */
export interface Epilogue {
  /** `[co]` */
  readonly bias?: TensorRef | undefined;
  /** `[n, C]`, of which `co` columns are added to every pixel of an image. */
  readonly perImage?: TensorRef | undefined;
  /** The first of these columns; 0 unless given. */
  readonly perImageStart?: number | undefined;
  /** The output's shape. */
  readonly residual?: TensorRef | undefined;
}

/** A sum to be computed. */
export interface GatherProduct {
  readonly mode: GatherMode;
  /** The images that are gathered: x `[n, h, w, ci]` or dy `[n, oh, ow, co]`. */
  readonly source: TensorRef;
  readonly weight: TensorRef;
  readonly shape: Conv2dShape;
  readonly epilogue: Epilogue;
  /** Names of what the epilogue adds. */
  readonly added: readonly Added[];
  /**
   * Where the sum goes over several convolutions of 1x1, which are taps then (so `kw` is their number), the
   * sources of which lie one behind the other: floats from one's weight to the next one's.
   */
  readonly layerStep: number | undefined;
  /** Whether products are summed in blocks (../shared/gemm.ts); those of `plain` lose less than that in any case. */
  readonly blocked: boolean;
  readonly label: string;
}

/** What an epilogue may add. */
const ADDED = ["bias", "perImage", "residual"] as const;
export type Added = typeof ADDED[number];

/** Names of what an epilogue adds. */
export function addedBy(epilogue: Epilogue): Added[] {
  return ADDED.filter((name) => epilogue[name]);
}

/** Elements that vectors along the columns must divide. */
export function columnStrides({ mode, shape, epilogue }: GatherProduct): number[] {
  const { perImage, perImageStart = 0 } = epilogue;
  const { columns } = gatherSizes(mode, shape);
  return [columns, ...(perImage ? [perImage.shape[1] ?? 0, perImageStart] : [])];
}

/** Uniform parameters of every variant. */
export function paramTypes(
  added: readonly Added[],
  { joined, layered }: { readonly joined: boolean; readonly layered: boolean },
): Record<string, "u32"> {
  const sizes = { ...shapeTypes(joined), ...(layered ? { layerStep: "u32" } as const : {}) };
  return added.includes("perImage")
    ? { ...sizes, perImageRow: "u32", perImageStart: "u32" }
    : sizes;
}

/** Their values for vectors of `width` columns. */
export function paramValues(
  { shape, epilogue: { perImage, perImageStart = 0 }, layerStep = 0 }: GatherProduct,
  width: number,
): Record<string, number> {
  const sizes = { ...shapeValues(shape), layerStep };
  if (!perImage) return sizes;
  const perImageRow = (perImage.shape[1] ?? 0) / width;
  return { ...sizes, perImageRow, perImageStart: perImageStart / width };
}

/** Sizes of the product: pixels by channels, and the sides of the result's images. */
export function gatherSizes(mode: GatherMode, { n, h, w, ci, co, oh, ow }: Conv2dShape) {
  return mode === "forward"
    ? { rows: n * oh * ow, depth: ci, columns: co, height: oh, width: ow }
    : { rows: n * h * w, depth: co, columns: ci, height: h, width: w };
}

/** A new tensor for the result, and what all variants dispatch. */
export function bind(
  capture: Capture,
  { mode, source, weight, shape, epilogue, added, label }: GatherProduct,
) {
  const { columns, height, width } = gatherSizes(mode, shape);
  const out = joinedAs(
    capture.transient([shape.n, height, width, columns], label, source.dtype),
    mode === "input" ? shape.seam : undefined,
  );
  const bindings: Record<string, TensorRef> = { source, weight, out };
  for (const name of added) bindings[name] = epilogue[name]!;
  return { out, shared: { bindings, multiplyAdds: convMultiplyAdds(shape) } };
}

/** WGSL names of the sizes of one mode. */
export function names(mode: GatherMode) {
  return mode === "forward"
    ? { height: "oh", width: "ow", columns: "co", depth: "ci", sh: "h", sw: "w" }
    : { height: "h", width: "w", columns: "ci", depth: "co", sh: "oh", sw: "ow" };
}

/**
 * WGSL: `sourceOf(position, tap, pad, size)`, the source coordinate that a tap reads along one axis,
 * or -1 where it reads a zero. Integer division is slow, so the stride may be part of the code.
 *
 * @param stride Taken from the parameters where it is undefined.
 */
export function sourceFunction(mode: GatherMode, stride: number | undefined): string {
  const unit = stride === 1;
  const by = stride === undefined ? "params.stride" : `${stride}u`;
  const body = mode === "forward"
    ? `let at = i32(position${unit ? "" : ` * ${by}`} + tap) - i32(pad);
  return select(-1, at, at < i32(size));`
    : `let scaled = i32(position + pad) - i32(tap);
  let at = scaled${unit ? "" : ` / i32(${by})`};
  return select(-1, at, ${
      unit ? "" : `scaled >= 0 && at * i32(${by}) == scaled && `
    }at < i32(size));`;
  return `fn sourceOf(position: u32, tap: u32, pad: u32, size: u32) -> i32 {\n  ${body}\n}\n`;
}

/**
 * WGSL of the taps that are walked, `ky` and `kx`. The gradient of an image that was read as a doubled one
 * sums over four pixels of that, so each tap comes once for each of them.
 */
export function tapsOf(halved: boolean) {
  return halved
    ? {
      rows: "(2u * params.kh)",
      columns: "(2u * params.kw)",
      ky: "(ky % params.kh)",
      kx: "(kx % params.kw)",
      py: (position: string) => `(2u * ${position} + ky / params.kh)`,
      px: (position: string) => `(2u * ${position} + kx / params.kw)`,
    }
    : {
      rows: "params.kh",
      columns: "params.kw",
      ky: "ky",
      kx: "kx",
      py: (position: string) => position,
      px: (position: string) => position,
    };
}

/** How often each tap is walked; see {@linkcode tapsOf}. */
export function walksOf({ mode, shape }: Pick<GatherProduct, "mode" | "shape">): number {
  return mode === "input" && shape.doubled ? 4 : 1;
}

/**
 * WGSL: what the epilogue adds to one element, or to one vector.
 *
 * @param image Index of the element's image.
 * @param column Index into the bias.
 * @param at Index into the result.
 * @param residual Where the residual is read from.
 */
export function epilogueTerms(
  added: readonly Added[],
  { image, column, at }: { image: string; column: string; at: string },
  residual: OperandSource = "buffer",
) {
  const terms: Record<Added, string> = {
    bias: `bias[${column}]`,
    perImage: `perImage[${image} * params.perImageRow + params.perImageStart + ${column}]`,
    residual: operandAt("residual", at, residual),
  };
  return added.map((name) => ` + ${terms[name]}`).join("");
}

/**
 * Bindings: source, weight, out and what is added.
 *
 * @param widths Elements of a load along the summed channels and along the result's.
 * @param joined Whether x or its gradient is, and with that what is added to it.
 * @param from Where source, weight and residual are read from.
 */
export function kernelBindings(
  mode: GatherMode,
  added: readonly Added[],
  widths: { readonly depth: Width; readonly columns: Width },
  joined: boolean,
  from: OperandSource = "buffer",
): Record<string, BindingSpec> {
  const wide = full(widths.depth), vector = full(widths.columns);
  const joins = { source: joined && mode === "forward", result: joined && mode === "input" };
  const textured = from === "texture";
  const bindings: Record<string, BindingSpec> = {
    source: { type: wide, access: "read", textured, joined: joins.source },
    weight: { type: mode === "forward" ? vector : wide, access: "read", textured },
    out: { type: vector, access: "write", joined: joins.result },
  };
  for (const name of added) {
    const like = name === "residual";
    bindings[name] = {
      type: vector,
      access: "read",
      textured: textured && like,
      joined: joins.result && like,
    };
  }
  return bindings;
}
