/**
 * Random Fourier features with phases (Karras et al. 2024, arXiv 2312.02696, section B.3):
 *
 *     y[n, i] = sqrt(2) cos(x_n w_i + p_i)
 *
 * A network asks them first, and the error of an angle of several turns is in all that it gives: the
 * product and the sum keep what rounding leaves of them.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { type BindingSpec, defineKernel } from "../../device/kernel.ts";
import { formatShape, type TensorRef } from "../../device/tensor.ts";
import { exactText } from "../shared/exact.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import { CIRCLE } from "./fourier_features.ts";

const READ: BindingSpec = { type: full(1), access: "read" };

const cosines = defineKernel({
  name: "cosineFeatures",
  bindings: {
    numbers: READ,
    frequencies: READ,
    phases: READ,
    result: { type: full(1), access: "write" },
  },
  params: { items: "u32", width: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}${exactText("params.width >> 31u")}${CIRCLE}
const ROOT = 1.41421354f;
const ROOT_REST = 2.42032348e-8f;
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let k = i % params.width;
  let x = numbers[i / params.width];
  let w = frequencies[k];
  let product = rounded(x * w);
  let angle = exactSum(product, phases[k]);
  let lost = angle.y - remainder(product, x, w);
  // Quarters of a turn are taken off in two parts, of which the first is exact.
  let quarter = round(angle.x * 0.636619772);
  let rest = (angle.x - quarter * 1.5703125) - (quarter * 0.000483826795 - lost);
  let cosine = circle(rest, quarter).y;
  // The root of 2 in two floats, as its error would be that of all features.
  let most = rounded(cosine * ROOT);
  result[i] = most + (cosine * ROOT_REST - remainder(most, cosine, ROOT));
}`,
});

/**
 * See the module.
 *
 * @param numbers `[N]`
 * @param frequencies In radians for each unit, `[w]`.
 * @param phases In radians, `[w]`.
 * @returns `[N, w]`
 * @throws {RangeError} When shapes do not fit.
 */
export function cosineFeatures(
  capture: Capture,
  numbers: TensorRef,
  frequencies: TensorRef,
  phases: TensorRef,
): TensorRef {
  const [n = 0] = numbers.shape, [width = 0] = frequencies.shape;
  if (numbers.shape.length !== 1 || phases.shape[0] !== width || frequencies.shape.length !== 1) {
    throw new RangeError(
      `Cannot make cosine features: numbers, frequencies and phases must have shapes [N], [w] and [w], got ${
        [numbers, frequencies, phases].map(({ shape }) => formatShape(shape)).join(", ")
      }`,
    );
  }
  const result = capture.transient([n, width], "cosine features");
  capture.dispatch({
    kernel: cosines,
    bindings: { numbers, frequencies, phases, result },
    params: { items: n * width, width },
    workgroups: flatGrid(n * width, STREAM_WORKGROUP),
  });
  return result;
}
