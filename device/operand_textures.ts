/**
 * Operands that a kernel reads from a texture. Mesa's CPU driver reads a storage buffer lane by lane,
 * each with a test of its bounds, and the texels of a storage image so much faster that products run 1.5
 * (AVX-512) to 4 times (AVX2) as fast from textures, copies included. Before each such
 * dispatch its operands are copied into textures that all dispatches of a program share.
 *
 * An element is a texel; they are laid out row by row in a texture of {@linkcode ROW_TEXELS} columns.
 *
 * @module
 */
import type { Dispatch, Recording } from "./dispatch.ts";
import { BYTES, type DType, partsOf, type Width } from "./element.ts";
import type { Gpu } from "./gpu.ts";
import type { BindingSpec } from "./kernel.ts";
import {
  hasOperandFormat,
  type OperandFormat,
  operandFormat,
  ROW_TEXELS,
} from "./operand_format.ts";
import { byteLengthOf, type TensorRef } from "./tensor.ts";

/** Whether a tensor can be read from a texture, `width` floats at a time. */
export function fitsTexture({ limits }: Gpu, tensor: TensorRef, width: Width): boolean {
  return hasOperandFormat(tensor.dtype, width) &&
    rowsOf(byteLengthOf(tensor), texelBytes(tensor.dtype, width)) <= limits.maxTextureDimension2D;
}

/** A copy that is made before a dispatch. */
export interface OperandCopy {
  readonly source: GPUTexelCopyBufferInfo;
  readonly destination: GPUTexelCopyTextureInfo;
  readonly size: GPUExtent3DDict;
}

/** An operand of a dispatch. */
interface Operand {
  /** Number of its binding. */
  readonly binding: number;
  /** Name of the texture among its program's: the format, and how many of it the dispatch had before. */
  readonly slot: string;
  readonly format: OperandFormat;
  readonly texelBytes: number;
  readonly bytes: number;
}

/** The operands that a dispatch reads from textures. */
export function operandsOf({ kernel, bindings }: Pick<Dispatch, "kernel" | "bindings">): Operand[] {
  const operands: Operand[] = [];
  Object.values<BindingSpec>(kernel.bindings).forEach((spec, binding) => {
    const format = operandFormat(spec);
    if (!format) return;
    const before = operands.filter((operand) => operand.format === format).length;
    const { dtype, width } = partsOf(spec.type);
    operands.push({
      ...{ binding, format, slot: `${format} ${before}`, texelBytes: texelBytes(dtype, width) },
      bytes: byteLengthOf(bindings[binding]!.tensor),
    });
  });
  return operands;
}

/** The copies of an operand into its texture: whole rows, then the rest of the last. */
export function copiesOf(
  { bytes, texelBytes }: Operand,
  { buffer, offset }: { buffer: GPUBuffer; offset: number },
  texture: GPUTexture,
): OperandCopy[] {
  const texels = bytes / texelBytes, bytesPerRow = ROW_TEXELS * texelBytes;
  const rows = Math.floor(texels / ROW_TEXELS), rest = texels % ROW_TEXELS;
  const copy = (row: number, width: number, height: number): OperandCopy => ({
    source: { buffer, offset: offset + row * bytesPerRow, bytesPerRow },
    destination: { texture, origin: { x: 0, y: row } },
    size: { width, height },
  });
  return [
    ...rows > 0 ? [copy(0, ROW_TEXELS, rows)] : [],
    ...rest > 0 ? [copy(rows, rest, 1)] : [],
  ];
}

/** Of each of a program's textures, the largest operand that it holds. */
function largestOperands({ dispatches }: Pick<Recording, "dispatches">): Map<string, Operand> {
  const largest = new Map<string, Operand>();
  for (const operand of dispatches.flatMap(operandsOf)) {
    const { slot, bytes } = operand;
    if (bytes > (largest.get(slot)?.bytes ?? 0)) largest.set(slot, operand);
  }
  return largest;
}

function rowsOf(bytes: number, texelBytes: number): number {
  return Math.ceil(bytes / (texelBytes * ROW_TEXELS));
}

function texelBytes(dtype: DType, width: Width): number {
  return BYTES[dtype] * width;
}

/** Bytes of a program's textures. */
export function textureBytes(recording: Pick<Recording, "dispatches">): number {
  return [...largestOperands(recording).values()].reduce(
    (sum, { bytes, texelBytes }) => sum + rowsOf(bytes, texelBytes) * texelBytes * ROW_TEXELS,
    0,
  );
}

/** The textures of a program by their names. */
export function createTextures(recording: Recording): Map<string, GPUTexture> {
  const { gpu, name } = recording;
  return new Map(
    [...largestOperands(recording)].map(([slot, { format, bytes, texelBytes }]) => {
      const size: [number, number] = [ROW_TEXELS, rowsOf(bytes, texelBytes)];
      return [slot, gpu.createTexture(format, size, `${name} operand ${slot}`)];
    }),
  );
}
