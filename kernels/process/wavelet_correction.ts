/**
 * The correction of a sampling step by wavelet bands (Yu et al. 2026, arXiv 2604.16044, equations 18 to
 * 21, and the authors' code): with L the band of approximations of one level of Haar wavelets and H
 * that of details, x the image after the step and x0 the predicted clean one,
 *
 *     x' = x + low L (x - x0) + high H (x - x0)
 *
 * L of one level is the mean over blocks of 2 x 2 pixels and H what is left, so that neither transform
 * is formed. Beyond an odd side there are zeros, as in the code.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** Length of the tensor of factors: low, high. */
export const CORRECTION_SCALARS = 2;

const kernel = defineKernel({
  name: "waveletCorrection",
  bindings: {
    x: { type: full(1), access: "read" },
    clean: { type: full(1), access: "read" },
    factors: { type: full(1), access: "read" },
    result: { type: full(1), access: "write" },
  },
  params: { items: "u32", height: "u32", width: "u32", channels: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let pixel = i / params.channels;
  let col = pixel % params.width;
  let row = (pixel / params.width) % params.height;
  let corner = i - ((row & 1u) * params.width + (col & 1u)) * params.channels;
  var sum = 0.0;
  for (var y = 0u; y < 2u; y++) {
    for (var x_ = 0u; x_ < 2u; x_++) {
      if ((row & ~1u) + y >= params.height || (col & ~1u) + x_ >= params.width) { continue; }
      let at = corner + (y * params.width + x_) * params.channels;
      sum += x[at] - clean[at];
    }
  }
  let low = 0.25 * sum;
  result[i] = x[i] + factors[0] * low + factors[1] * (x[i] - clean[i] - low);
}`,
});

/**
 * The corrected images.
 *
 * @param x Images after a step, `[N, H, W, C]`.
 * @param clean The predicted clean images, of the same shape.
 * @param factors f32 `[2]`: low, high.
 * @throws {RangeError} When shapes are others.
 */
export function waveletCorrection(
  capture: Capture,
  x: TensorRef,
  clean: TensorRef,
  factors: TensorRef,
): TensorRef {
  const [, height = 0, width = 0, channels = 0] = x.shape;
  if (
    x.shape.length !== 4 || formatShape(x.shape) !== formatShape(clean.shape) ||
    sizeOf(factors.shape) !== CORRECTION_SCALARS
  ) {
    throw new RangeError(
      `Cannot correct a step: images must be of one shape [N, H, W, C] and factors 2, got ${
        [x, clean, factors].map(({ shape }) => formatShape(shape)).join(", ")
      }`,
    );
  }
  const result = capture.transient(x.shape, "corrected"), items = sizeOf(x.shape);
  capture.dispatch({
    kernel,
    bindings: { x, clean, factors, result },
    params: { items, height, width, channels },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}
