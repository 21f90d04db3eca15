/**
 * Shift, scale and gate of diffusion transformers, from columns of one matrix.
 *
 * @module
 */
import {
  gatedSumBackwardBranch,
  gatedSumBackwardColumns,
  gatedSumForward,
  modulatedNormBackwardColumns,
  modulatedNormBackwardInput,
  modulatedNormForward,
  type ModulationColumns,
} from "../../kernels/norm/modulate.ts";
import type { Tensor } from "../tensor.ts";

/**
 * Layer normalisation without weights, then `(1 + scale)` of it plus `shift`.
 *
 * @param x Tokens, `[N, L, C]`.
 * @param m `[N, M]`, of which shift and scale are windows of C columns that begin at a multiple of C.
 * @throws {RangeError} When shapes do not fit.
 */
export function modulatedNorm(
  x: Tensor,
  m: Tensor,
  { eps, ...columns }: ModulationColumns & { readonly eps: number },
): Tensor {
  const { capture } = x.graph;
  const { y, mean, rstd } = modulatedNormForward(capture, x.ref, m.ref, columns, eps);
  return x.graph.record({
    op: "modulatedNorm",
    inputs: [x, m],
    output: y,
    backward: (dy, [needsX, needsM]) => {
      const saved = { x: x.saved(), m: m.ref, mean, rstd };
      return [
        needsX ? modulatedNormBackwardInput(capture, saved, columns, dy) : null,
        needsM ? (total) => modulatedNormBackwardColumns(capture, saved, columns, dy, total) : null,
      ];
    },
  });
}

/**
 * `x + gate h`.
 *
 * @param x Tokens, `[N, L, C]`, like `h`.
 * @param m `[N, M]`, of which the gate is the window of C columns from `gate` on, a multiple of C.
 * @throws {RangeError} When shapes do not fit.
 */
export function gatedSum(x: Tensor, h: Tensor, m: Tensor, gate: number): Tensor {
  const { capture } = x.graph;
  return x.graph.record({
    op: "gatedSum",
    inputs: [x, h, m],
    output: gatedSumForward(capture, x.ref, h.ref, m.ref, gate),
    backward: (dy, [needsX, needsH, needsM]) => {
      const saved = { h: h.saved(), m: m.ref };
      return [
        needsX ? dy : null,
        needsH ? gatedSumBackwardBranch(capture, dy, m.ref, gate) : null,
        needsM ? (total) => gatedSumBackwardColumns(capture, saved, gate, dy, total) : null,
      ];
    },
  });
}
