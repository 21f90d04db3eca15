/**
 * Operands that a kernel reads from a texture. Mesa's CPU driver reads a storage buffer lane by lane,
 * each with a test of its bounds, and the texels of a storage image so much faster that products run 1.5
 * (AVX-512) to 4 times (AVX2) as fast from textures, copies included. Before each such
 * dispatch its operands are copied into textures that all dispatches of a program share, but for those
 * that lie there still (texture_slots.ts).
 *
 * An element is a texel; they are laid out row by row in a texture of {@linkcode ROW_TEXELS} columns.
 *
 * @module
 */
import type { Recording } from "./dispatch.ts";
import { BYTES, type Width } from "./element.ts";
import type { Gpu } from "./gpu.ts";
import { hasOperandFormat, ROW_TEXELS } from "./operand_format.ts";
import { byteLengthOf, type TensorRef } from "./tensor.ts";
import { type Operand, placeOperands } from "./texture_slots.ts";

/** Whether a tensor can be read from a texture, `width` floats at a time. */
export function fitsTexture({ limits }: Gpu, tensor: TensorRef, width: Width): boolean {
  return hasOperandFormat(tensor.dtype, width) &&
    rowsOf(byteLengthOf(tensor), BYTES[tensor.dtype] * width) <= limits.maxTextureDimension2D;
}

/** A copy that is made before a dispatch. */
export interface OperandCopy {
  readonly source: GPUTexelCopyBufferInfo;
  readonly destination: GPUTexelCopyTextureInfo;
  readonly size: GPUExtent3DDict;
}

/** The copies of an operand into its texture, if it does not lie there: whole rows, then the rest. */
export function copiesOf(
  { bytes, texelBytes, copied }: Operand,
  { buffer, offset }: { buffer: GPUBuffer; offset: number },
  texture: GPUTexture,
): OperandCopy[] {
  if (!copied) return [];
  const texels = bytes / texelBytes, bytesPerRow = ROW_TEXELS * texelBytes;
  const rows = Math.floor(texels / ROW_TEXELS), rest = texels % ROW_TEXELS;
  const copy = (row: number, width: number, height: number): OperandCopy => ({
    source: { buffer, offset: offset + row * bytesPerRow, bytesPerRow },
    // Each member that is given costs the call 0.1 us.
    destination: row > 0 ? { texture, origin: { x: 0, y: row } } : { texture },
    size: { width, height },
  });
  return [
    ...rows > 0 ? [copy(0, ROW_TEXELS, rows)] : [],
    ...rest > 0 ? [copy(rows, rest, 1)] : [],
  ];
}

/** Of each of a program's textures, the largest operand that it holds. */
function largestOperands(operands: readonly (readonly Operand[])[]): Map<string, Operand> {
  const largest = new Map<string, Operand>();
  for (const operand of operands.flat()) {
    const { slot, bytes } = operand;
    if (bytes > (largest.get(slot)?.bytes ?? 0)) largest.set(slot, operand);
  }
  return largest;
}

function rowsOf(bytes: number, texelBytes: number): number {
  return Math.ceil(bytes / (texelBytes * ROW_TEXELS));
}

/**
 * Rows of a texture for so many bytes: never a power of two of them, as Mesa's CPU driver compiles a kernel
 * once for textures of such sides and once more for others.
 */
function sideOf({ bytes, texelBytes }: Operand): number {
  const rows = Math.max(3, rowsOf(bytes, texelBytes));
  return Number.isInteger(Math.log2(rows)) ? rows + 1 : rows;
}

/** Bytes of a program's textures. */
export function textureBytes(recording: Pick<Recording, "dispatches">): number {
  return [...largestOperands(placeOperands(recording)).values()].reduce(
    (sum, operand) => sum + sideOf(operand) * operand.texelBytes * ROW_TEXELS,
    0,
  );
}

/** The textures of a program by their names, for operands of {@linkcode placeOperands}. */
export function createTextures(
  { gpu, name }: Recording,
  operands: readonly (readonly Operand[])[],
): Map<string, GPUTexture> {
  return new Map(
    [...largestOperands(operands)].map(([slot, operand]) => {
      const rows = Math.min(sideOf(operand), gpu.limits.maxTextureDimension2D);
      const label = `${name} operand ${slot}`;
      return [slot, gpu.createTexture(operand.format, [ROW_TEXELS, rows], label)];
    }),
  );
}
