/**
 * Dynamic loss scaling (Micikevicius et al. 2018, "Mixed Precision Training", section 3.2): gradients that
 * are stored in few bits are those of a loss times a scale, so that small ones do not become zeros. Where
 * one overflows, the step is skipped and the scale halved; after a row of good steps it is doubled.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { sizeOf, type TensorRef } from "../../device/tensor.ts";

/** The scale of a fresh run. */
export const FIRST_LOSS_SCALE = 65536;

/** Good steps in a row after which the scale is doubled. */
export const GROWTH_INTERVAL = 2000;

/** The scale grows no further: gradients that are all zeros would let it grow for ever. */
export const MOST_LOSS_SCALE = 2 ** 24;

/** Length of the state: scale, good steps in a row, steps skipped so far, norm of the last good one. */
export const LOSS_SCALE_STATE = 4;

const kernel = defineKernel({
  name: "lossScale",
  bindings: {
    norm: { type: full(1), access: "read" },
    state: { type: full(1), access: "read_write" },
    factor: { type: full(1), access: "write" },
  },
  params: { share: "f32", maxNorm: "f32" },
  workgroupSize: [1, 1, 1],
  // Tests by bits: drivers may assume that there are no infinities and no NaN.
  wgsl: `
@compute @workgroup_size(WX, WY, WZ)
fn main() {
  if ((bitcast<u32>(norm[0]) & 0x7f800000u) == 0x7f800000u) {
    state[0] *= 0.5;
    state[1] = 0.0;
    state[2] += 1.0;
    factor[0] = -1.0;
    return;
  }
  let unscale = params.share / state[0];
  let size = unscale * norm[0];
  var clip = 1.0;
  if (params.maxNorm > 0.0) { clip = min(1.0, params.maxNorm / (size + 1e-6)); }
  factor[0] = unscale * clip;
  state[3] = size;
  state[1] += 1.0;
  if (state[1] >= ${GROWTH_INTERVAL}.0) {
    state[0] = min(2.0 * state[0], ${MOST_LOSS_SCALE}.0);
    state[1] = 0.0;
  }
}`,
});

/**
 * Ends a step's gradients.
 *
 * @param norm `[1]`: the norm of the scaled gradients.
 * @param state `[4]`: see {@linkcode LOSS_SCALE_STATE}; updated in place.
 * @param options `share` is what gradients are multiplied by beside one over the scale; `maxNorm` the
 *   largest norm that is left alone, 0 clips nothing.
 * @returns `[1]`: what gradients are to be multiplied by, negative where the step is to be skipped.
 * @throws {RangeError} When a tensor has another size.
 */
export function lossScaleStep(
  capture: Capture,
  norm: TensorRef,
  state: TensorRef,
  { share, maxNorm }: { readonly share: number; readonly maxNorm: number },
): TensorRef {
  if (sizeOf(norm.shape) !== 1 || sizeOf(state.shape) !== LOSS_SCALE_STATE) {
    throw new RangeError(
      `Cannot scale a loss: norm must have 1 element and state ${LOSS_SCALE_STATE}, got ${
        sizeOf(norm.shape)
      } and ${sizeOf(state.shape)}`,
    );
  }
  const factor = capture.transient([1], "factor of gradients");
  capture.dispatch({
    kernel,
    bindings: { norm, state, factor },
    params: { share, maxNorm },
    workgroups: [1, 1, 1],
  });
  return factor;
}
