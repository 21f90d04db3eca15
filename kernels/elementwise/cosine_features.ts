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

const WRITE: BindingSpec = { type: full(1), access: "write" };

/** WGSL: `waves(x, w, p) -> vec2f`, sine and cosine of `x w + p`. */
const WAVES = `${FLAT_INDEX}${exactText("params.width >> 31u")}${CIRCLE}
fn waves(x: f32, w: f32, phase: f32) -> vec2f {
  let product = rounded(x * w);
  let angle = exactSum(product, phase);
  let lost = angle.y - remainder(product, x, w);
  // Quarters of a turn are taken off in two parts, of which the first is exact.
  let quarter = round(angle.x * 0.636619772);
  let rest = (angle.x - quarter * 1.5703125) - (quarter * 0.000483826795 - lost);
  return circle(rest, quarter);
}
`;

const cosines = defineKernel({
  name: "cosineFeatures",
  bindings: { numbers: READ, frequencies: READ, phases: READ, result: WRITE },
  params: { items: "u32", width: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${WAVES}
const ROOT = 1.41421354f;
const ROOT_REST = 2.42032348e-8f;
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let k = i % params.width;
  let cosine = waves(numbers[i / params.width], frequencies[k], phases[k]).y;
  // The root of 2 in two floats, as its error would be that of all features.
  let most = rounded(cosine * ROOT);
  result[i] = most + (cosine * ROOT_REST - remainder(most, cosine, ROOT));
}`,
});

const slopes = defineKernel({
  name: "cosineFeaturesBackward",
  bindings: { numbers: READ, frequencies: READ, phases: READ, dy: READ, result: WRITE },
  params: { items: "u32", width: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${WAVES}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = flatInvocation(global, groups);
  if (n >= params.items) { return; }
  var total = 0.0;
  for (var k = 0u; k < params.width; k++) {
    let sine = waves(numbers[n], frequencies[k], phases[k]).x;
    total += dy[n * params.width + k] * frequencies[k] * sine;
  }
  result[n] = -1.41421354 * total;
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

/**
 * Gradient with respect to the numbers from `dy` `[N, w]`:
 *
 *     dx_n = -sqrt(2) sum_i w_i sin(x_n w_i + p_i) dy[n, i]
 */
export function cosineFeaturesBackward(
  capture: Capture,
  tensors: Readonly<Record<"numbers" | "frequencies" | "phases" | "dy", TensorRef>>,
): TensorRef {
  const [items = 0] = tensors.numbers.shape, [width = 0] = tensors.frequencies.shape;
  const result = capture.transient([items], "cosine features dx");
  capture.dispatch({
    kernel: slopes,
    bindings: { ...tensors, result },
    params: { items, width },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}
