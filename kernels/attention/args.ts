/**
 * What attention is given, and its checks.
 *
 * @module
 */
import { formatShape, type TensorRef } from "../../device/tensor.ts";
import type { MatrixBatch } from "../matmul/matmul.ts";

/** Choices of attention. */
export interface AttentionOptions {
  /** Number of heads; must divide the last axes. */
  readonly heads: number;
  /** Factor of the scores, before the softmax. */
  readonly scale: number;
}

/** Operands of attention. */
export interface AttentionInputs {
  /** Queries, `[B, L, heads * d]`. */
  readonly q: TensorRef;
  /** Keys, `[B, S, heads * d]`. */
  readonly k: TensorRef;
  /** Values, `[B, S, heads * e]`. */
  readonly v: TensorRef;
}

/** Gradients of attention; null where none was wanted. */
export interface AttentionGrads {
  readonly dq: TensorRef | null;
  readonly dk: TensorRef | null;
  readonly dv: TensorRef | null;
}

/** Which gradients are wanted. */
export interface AttentionNeeds {
  readonly q: boolean;
  readonly k: boolean;
  readonly v: boolean;
}

/** Sizes of attention. */
export interface AttentionSizes {
  /** B. */
  readonly batch: number;
  readonly heads: number;
  /** L. */
  readonly queries: number;
  /** S. */
  readonly keys: number;
  /** d. */
  readonly depth: number;
  /** e. */
  readonly valueDepth: number;
}

/**
 * Sizes of checked operands.
 *
 * @throws {RangeError} When shapes do not fit or the heads do not divide them.
 */
export function attentionSizes({ q, k, v }: AttentionInputs, heads: number): AttentionSizes {
  const [batch = 0, queries = 0, columns = 0] = q.shape;
  const [keyBatch, keys = 0, keyColumns] = k.shape;
  const [valueBatch, values, valueColumns = 0] = v.shape;
  const shapes = [q, k, v].map(({ shape }) => formatShape(shape)).join(", ");
  if (
    [q, k, v].some(({ shape }) => shape.length !== 3) || keyBatch !== batch ||
    valueBatch !== batch || keyColumns !== columns || values !== keys
  ) {
    throw new RangeError(
      `Cannot attend: q, k and v must have shapes [B, L, D], [B, S, D] and [B, S, E], got ${shapes}`,
    );
  }
  if (!Number.isInteger(heads) || heads < 1 || columns % heads || valueColumns % heads) {
    throw new RangeError(
      `Cannot attend: heads must divide the last axes of ${shapes}, got ${heads}`,
    );
  }
  const [depth, valueDepth] = [columns / heads, valueColumns / heads];
  return { batch, heads, queries, keys, depth, valueDepth };
}

/** `[B, L, heads * d]`, or what is left of it, as B x heads matrices of L x d. */
export function headsOf(tensor: TensorRef, shape: readonly number[], heads: number): MatrixBatch {
  const [, length = 0, columns = 0] = shape;
  return { tensor, row: columns, inner: columns / heads, outer: length * columns };
}
