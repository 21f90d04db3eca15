/**
 * Attention whose scores never leave a workgroup (Dao et al. 2022, arXiv 2205.14135; backward as in
 * Dao 2023, arXiv 2307.08691), for graphics cards.
 *
 * A workgroup owns 32 or 64 rows and walks over the columns, 32 to 128 at a time: a square of scores is made, turned
 * into weights, and multiplied by what lies along the columns into sums in registers. Forward, rows are
 * queries, and the softmax is kept up to date by the largest score and the sum of each row so far; both
 * are kept for the backward pass, which makes the same probabilities again, once with queries as rows
 * for dQ and once with keys as rows for dK and dV. Every sum has one order.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { reshape, type TensorRef } from "../../device/tensor.ts";
import {
  type AttentionGrads,
  type AttentionInputs,
  type AttentionNeeds,
  type AttentionOptions,
  type AttentionSizes,
  attentionSizes,
} from "./args.ts";
import { gradientOfKeysKernel, gradientOfQueriesKernel } from "./streamed_backward.ts";
import { forwardKernel } from "./streamed_forward.ts";
import { LEAST_ROWS, MOST_WIDTH, type StreamShape, streamTile } from "./squares.ts";
import { definePointwise } from "../shared/pointwise.ts";
import { reduceRows } from "../reduce/reduce_rows.ts";

/** What the backward pass needs besides the operands. */
export interface StreamedRows {
  readonly y: TensorRef;
  /** Largest score and sum of exponentials of each query's row, `[B, L, heads, 2]`. */
  readonly rows: TensorRef;
}

/** Most workgroups along one dimension in WebGPU's defaults. */
const MOST_WORKGROUPS = 65535;

/** Whether the sums fit into registers and the grids into their limits. */
export function canStream(
  { batch, heads, queries, keys, depth, valueDepth }: AttentionSizes,
): boolean {
  return Math.max(depth, valueDepth) <= MOST_WIDTH && batch * heads <= MOST_WORKGROUPS &&
    Math.max(queries, keys) <= LEAST_ROWS * MOST_WORKGROUPS;
}

/**
 * Attention.
 *
 * @returns `y [B, L, heads * e]`, and what {@linkcode backwardStreamed} needs.
 */
export function forwardStreamed(
  capture: Capture,
  { q, k, v }: AttentionInputs,
  { heads, scale }: AttentionOptions,
): StreamedRows {
  const sizes = attentionSizes({ q, k, v }, heads);
  const { batch, queries, depth, valueDepth } = sizes;
  const y = capture.transient([batch, queries, heads * valueDepth], "attention", q.dtype);
  const rows = capture.transient([batch, queries, heads, 2], "attention rows");
  const shape = streamShape(sizes, valueDepth);
  capture.dispatch({
    kernel: forwardKernel(shape),
    bindings: { q, k, values: v, y, rows },
    params: paramsOf(sizes, scale),
    workgroups: gridOf(sizes, queries, shape),
    multiplyAdds: pairs(sizes) * (depth + valueDepth),
  });
  return { y, rows };
}

/** `rows of a` times `rows of b`. */
const product = definePointwise({ name: "rowProducts", inputs: ["a", "b"], result: "a * b" });

/** Gradients of {@linkcode forwardStreamed} from what it kept and the upstream gradient `dy`. */
export function backwardStreamed(
  capture: Capture,
  { q, k, v }: AttentionInputs,
  { y, rows }: StreamedRows,
  dy: TensorRef,
  { heads, scale }: AttentionOptions,
  needs: AttentionNeeds,
): AttentionGrads {
  const sizes = attentionSizes({ q, k, v }, heads);
  const { batch, queries, keys, depth, valueDepth } = sizes;
  const gradient = (wanted: boolean, { shape, dtype }: TensorRef, label: string) =>
    wanted ? capture.transient(shape, label, dtype) : null;
  const dq = gradient(needs.q, q, "attention dq");
  const dk = gradient(needs.k, k, "attention dk");
  const dv = gradient(needs.v, v, "attention dv");
  const params = paramsOf(sizes, scale);
  const inputs = { q, k, values: v, dy: reshape(dy, y.shape), rows };
  // The softmax takes sum_j P_ij dP_ij off each row, which is the row of dO times that of O.
  const dots = dq || dk
    ? reduceRows(capture, product, { a: y, b: inputs.dy }, {}, { shape: [batch, queries, heads] })
    : undefined;
  if (dq && dots) {
    const shape = streamShape(sizes, depth);
    capture.dispatch({
      kernel: gradientOfQueriesKernel(shape),
      bindings: { ...inputs, dots, dq },
      params,
      workgroups: gridOf(sizes, queries, shape),
      // Scores and their gradient are made again, in both kernels.
      multiplyAdds: pairs(sizes) * (2 * depth + valueDepth),
    });
  }
  /** Makes either or both, in a kernel whose rows of sums are as wide as both. */
  const overKeys = (dk: TensorRef | null, dv: TensorRef | null) => {
    const width = (dk ? depth : 0) + (dv ? valueDepth : 0);
    const shape = streamShape(sizes, width);
    const outputs = { ...(dk && dots ? { dots, dk } : {}), ...(dv ? { dv } : {}) };
    capture.dispatch({
      kernel: gradientOfKeysKernel(shape, { dk: dk !== null, dv: dv !== null }),
      bindings: { ...inputs, ...outputs },
      params,
      workgroups: gridOf(sizes, keys, shape),
      multiplyAdds: pairs(sizes) * (depth + (dk ? valueDepth : 0) + width),
    });
  };
  if (dk && dv && depth + valueDepth > MOST_WIDTH) {
    overKeys(dk, null);
    overKeys(null, dv);
  } else if (dk || dv) overKeys(dk, dv);
  return { dq, dk, dv };
}

/** What the code depends on; `width` is that of the sums of a row. */
function streamShape({ depth, valueDepth }: AttentionSizes, width: number): StreamShape {
  const tile = streamTile(width);
  if (!tile) throw new RangeError(`Cannot stream attention: rows of ${width} sums are too wide`);
  return { ...tile, depth, valueDepth, wide: depth % 4 === 0 && valueDepth % 4 === 0 };
}

function paramsOf({ queries, keys, heads, depth, valueDepth }: AttentionSizes, scale: number) {
  return { queries, keys, heads, depth, valueDepth, scale };
}

/** Pairs of a query and a key. */
function pairs({ batch, heads, queries, keys }: AttentionSizes): number {
  return batch * heads * queries * keys;
}

function gridOf(
  { batch, heads }: AttentionSizes,
  lines: number,
  { rows }: StreamShape,
): [number, number, number] {
  return [Math.ceil(lines / rows), batch * heads, 1];
}
