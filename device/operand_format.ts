/**
 * How an operand lies in a texture, and the WGSL that reads it there; see `operand_textures.ts`.
 *
 * @module
 */
import { type DType, type ElementType, full, partsOf, type Width } from "./element.ts";

/** Bits of a column's number. */
const ROW_BITS = 11;

/** Texels of a row: a number that every device has, and whose bytes may be copied. */
export const ROW_TEXELS = 1 << ROW_BITS;

/** A format that every device reads from storage, and WGSL that makes an element of a texel of it. */
interface Texel {
  readonly format: OperandFormat;
  readonly element: (texel: string) => string;
}

const part = (components: string) => (texel: string) => `${texel}${components}`;

/** Formats by the type and the floats of an element; there is none of a single half. */
const TEXELS: Readonly<Partial<Record<DType, Readonly<Partial<Record<Width, Texel>>>>>> = {
  f32: {
    1: { format: "r32float", element: part(".x") },
    2: { format: "rg32float", element: part(".xy") },
    4: { format: "rgba32float", element: part("") },
  },
  f16: {
    2: { format: "r32uint", element: (texel) => `unpack2x16float(${texel}.x)` },
    4: { format: "rgba16float", element: part("") },
  },
};

/** Format of a texture. */
export type OperandFormat = "r32float" | "rg32float" | "rgba32float" | "r32uint" | "rgba16float";

/** Whether there are textures of such elements. */
export function hasOperandFormat(dtype: DType, width: Width): boolean {
  return TEXELS[dtype]?.[width] !== undefined;
}

/** @throws {TypeError} When there are no textures of such elements. */
function texelOf(type: ElementType): Texel {
  const { dtype, width } = partsOf(type);
  const texel = TEXELS[dtype]?.[width];
  if (!texel) {
    throw new TypeError(`Cannot read an operand of ${type} from a texture: it has no format`);
  }
  return texel;
}

/** Format of the texture of an operand, if it is one. */
export function operandFormat(
  { type, textured }: { readonly type: ElementType; readonly textured?: boolean },
): OperandFormat | undefined {
  return textured ? texelOf(type).format : undefined;
}

/** WGSL: a binding that is a texture, and `NAME_at(index)`, which reads its elements, halves as floats. */
export function declareOperand(name: string, binding: number, type: ElementType): string {
  const { width } = partsOf(type), { format, element } = texelOf(type);
  const at = `vec2u(index & ${ROW_TEXELS - 1}u, index >> ${ROW_BITS}u)`;
  return `@group(0) @binding(${binding}) var ${name}: texture_storage_2d<${format}, read>;
fn ${name}_at(index: u32) -> ${full(width)} { return ${element(`textureLoad(${name}, ${at})`)}; }`;
}
