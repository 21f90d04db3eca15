/**
 * Element types: how many bytes one takes and how WGSL spells it. Nothing else in the project says so.
 *
 * What a tensor is stored as and what is computed with are two things. Kernels are written over f32, and
 * `half_storage.ts` adapts them to tensors of f16.
 *
 * @module
 */

/** Element types of tensors. */
export type DType = "f32" | "f16" | "u32";

/** Bytes of one element. */
export const BYTES: Readonly<Record<DType, 1 | 2 | 4>> = { f32: 4, f16: 2, u32: 4 };

/** Elements of a vector. */
export type Width = 1 | 2 | 4;

const SPELLING = {
  f32: { 1: "f32", 2: "vec2f", 4: "vec4f" },
  f16: { 1: "f16", 2: "vec2h", 4: "vec4h" },
  u32: { 1: "u32", 2: "vec2u", 4: "vec4u" },
} as const satisfies Record<DType, Record<Width, string>>;

/** @internal */
type Spelt = typeof SPELLING[DType][Width];

/** WGSL type of a vector, or of one element. */
export type VectorType = Spelt;

/** WGSL element types of storage arrays. */
export type ElementType = VectorType | "atomic<u32>";

/** WGSL type of `width` elements. */
export function elementOf(dtype: DType, width: Width): VectorType {
  return SPELLING[dtype][width];
}

/** The element type of a tensor that is bound to an array of `type`, and how many make one of it. */
export function partsOf(type: ElementType): { dtype: DType; width: Width } {
  return PARTS.get(type)!;
}

const PARTS: ReadonlyMap<ElementType, { dtype: DType; width: Width }> = new Map([
  ["atomic<u32>", { dtype: "u32", width: 1 }],
  ...(Object.keys(SPELLING) as DType[]).flatMap((dtype) =>
    ([1, 2, 4] as const).map((width) =>
      [elementOf(dtype, width), { dtype, width }] as [ElementType, { dtype: DType; width: Width }]
    )
  ),
]);

/** WGSL type of `width` floats: what kernels compute with. */
export function full(width: Width): VectorType {
  return elementOf("f32", width);
}

/** What names of kernels say of a type: nothing of f32. */
export function typeFlag(dtype: DType): string {
  return dtype === "f32" ? "" : `.${dtype}`;
}
