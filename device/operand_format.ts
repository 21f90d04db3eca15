/**
 * How an operand lies in a texture, and the WGSL that reads it there; see `operand_textures.ts`.
 *
 * @module
 */
import { type ElementType, partsOf, type Width } from "./element.ts";

/** Bits of a column's number. */
const ROW_BITS = 11;

/** Texels of a row: a number that every device has, and whose bytes may be copied. */
export const ROW_TEXELS = 1 << ROW_BITS;

/** Formats by the floats of an element, as every device reads them from storage. */
const FORMATS = { 1: "r32float", 2: "rg32float", 4: "rgba32float" } as const;

/** Components of a texel that an element has. */
const COMPONENTS: Readonly<Record<Width, string>> = { 1: ".x", 2: ".xy", 4: "" };

/** Format of a texture. */
export type OperandFormat = typeof FORMATS[Width];

/** Format of the texture of an operand, if it is one. */
export function operandFormat(
  { type, textured }: { readonly type: ElementType; readonly textured?: boolean },
): OperandFormat | undefined {
  return textured ? FORMATS[partsOf(type).width] : undefined;
}

/** WGSL: a binding that is a texture, and `NAME_at(index)`, which reads its elements. */
export function declareOperand(name: string, binding: number, type: ElementType): string {
  const { width } = partsOf(type);
  const at = `vec2u(index & ${ROW_TEXELS - 1}u, index >> ${ROW_BITS}u)`;
  return `@group(0) @binding(${binding}) var ${name}: texture_storage_2d<${FORMATS[width]}, read>;
fn ${name}_at(index: u32) -> ${type} { return textureLoad(${name}, ${at})${COMPONENTS[width]}; }`;
}
