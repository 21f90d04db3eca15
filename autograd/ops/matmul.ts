import { reshape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { exactLinear } from "../../kernels/matmul/exact_linear.ts";
import { matmul } from "../../kernels/matmul/matmul.ts";
import { sumMiddle } from "../../kernels/reduce/reduce.ts";
import type { Tensor } from "../tensor.ts";

/** Rows whose sum is put off; more would be a long sum for few lanes. */
const FEW_ROWS = 512;

/**
 * `y = x weight + bias` over the last axis.
 *
 * @param x `[..., in]`
 * @param weight `[in, out]`
 * @param bias `[out]`
 * @param options `exact`: whether sums are rounded once, at several times the work; false unless given.
 *   Only without a bias, and not of f16.
 * @returns `[..., out]`
 * @throws {RangeError} When the sizes do not fit.
 */
export function linear(
  x: Tensor,
  weight: Tensor,
  bias?: Tensor,
  { exact = false }: { readonly exact?: boolean } = {},
): Tensor {
  const { capture } = x.graph;
  const [k = 0, n = 0] = weight.shape;
  const rows = sizeOf(x.shape) / (x.shape.at(-1) ?? 1);
  if (x.shape.at(-1) !== k || weight.shape.length !== 2) {
    throw new RangeError(
      `Cannot apply a linear layer: the last axis of x must be ${k}, as the weight is [${weight.shape}], got [${x.shape}]`,
    );
  }
  const stored = weight.storedAs(x.ref.dtype);
  const product = exact && !bias && x.ref.dtype === "f32"
    ? exactLinear(capture, x.ref, stored, rows)
    : matmul(capture, {
      a: { tensor: x.ref, row: k },
      b: { tensor: stored, row: n },
      m: rows,
      n,
      k,
      bias: bias?.ref,
      label: "linear",
    });
  return x.graph.record({
    op: "linear",
    inputs: bias ? [x, weight, bias] : [x, weight],
    output: reshape(product, [...x.shape.slice(0, -1), n]),
    backward: (dy, [needsX, needsWeight, needsBias]) => {
      const dx = needsX
        ? matmul(capture, {
          a: { tensor: dy, row: n },
          b: { tensor: stored, row: n, transposed: true },
          m: rows,
          n: k,
          k: n,
          label: "linear input gradient",
        })
        : null;
      const dWeight = needsWeight
        ? matmul(capture, {
          a: { tensor: x.saved(), row: k, transposed: true },
          b: { tensor: dy, row: n },
          m: k,
          n,
          k: rows,
          label: "linear weight gradient",
          dtype: weight.ref.dtype,
        })
        : null;
      const dBias = !needsBias
        ? null
        : rows <= FEW_ROWS
        ? { parts: dy, count: rows, stride: n, shape: [n] }
        : sumMiddle(capture, dy, [1, rows, n]);
      return [dx, dWeight, dBias];
    },
  });
}

/**
 * Batched matrix product.
 *
 * @param a `[B, M, K]`
 * @param b `[B, K, N]`, or `[B, N, K]` with `transposeB`
 * @returns `[B, M, N]`
 * @throws {RangeError} When the sizes do not fit.
 */
export function bmm(a: Tensor, b: Tensor, { transposeB = false } = {}): Tensor {
  const { capture } = a.graph;
  const [batch = 0, m = 0, k = 0] = a.shape;
  const [bBatch, b1 = 0, b2 = 0] = b.shape;
  const [bk, n] = transposeB ? [b2, b1] : [b1, b2];
  if (a.shape.length !== 3 || b.shape.length !== 3 || bBatch !== batch || bk !== k) {
    throw new RangeError(
      `Cannot multiply batches: b must be ${
        transposeB ? `[${batch}, N, ${k}]` : `[${batch}, ${k}, N]`
      }, got a [${a.shape}] and b [${b.shape}]`,
    );
  }
  const dense = (tensor: TensorRef, rows: number, row: number, transposed = false) => ({
    tensor,
    row,
    outer: rows * row,
    transposed,
  });
  const y = matmul(capture, {
    a: dense(a.ref, m, k),
    b: dense(b.ref, b1, b2, transposeB),
    m,
    n,
    k,
    outer: batch,
    label: "bmm",
  });
  return a.graph.record({
    op: "bmm",
    inputs: [a, b],
    output: y,
    backward: (dy, [needsA, needsB]) => {
      const da = needsA
        ? matmul(capture, {
          a: dense(dy, m, n),
          b: dense(b.ref, b1, b2, !transposeB),
          m,
          n: k,
          k: n,
          outer: batch,
          label: "bmm gradient of a",
        })
        : null;
      // db = a^T dy, or for a transposed b its transpose dy^T a.
      const [left, right] = transposeB ? [dense(dy, m, n, true), dense(a.ref, m, k)] : [
        dense(a.ref, m, k, true),
        dense(dy, m, n),
      ];
      const db = needsB
        ? matmul(capture, {
          a: left,
          b: right,
          m: b1,
          n: b2,
          k: m,
          outer: batch,
          label: "bmm gradient of b",
        })
        : null;
      return [da, db];
    },
  });
}
