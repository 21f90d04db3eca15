/**
 * Random Fourier features with phases (Karras et al. 2024, arXiv 2312.02696, section B.3):
 *
 *     y[n, i] = sqrt(2) cos(x_n w_i + p_i)
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { type BindingSpec, defineKernel } from "../../device/kernel.ts";
import { formatShape, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import { TURN } from "./fourier_features.ts";

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
  wgsl: `${FLAT_INDEX}${TURN}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let k = i % params.width;
  let angle = numbers[i / params.width] * frequencies[k] + phases[k];
  // Whole turns are taken off in two parts, of which the first is exact.
  let turns = round(angle * 0.159154943);
  let rest = (angle - turns * 6.28125) - turns * 0.00193530718;
  result[i] = 1.41421356 * turn(rest * 0.159154943).y;
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
