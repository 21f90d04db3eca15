/**
 * Fourier features of numbers (Tancik et al. 2020, arXiv 2006.10739, equation 5), such as noise levels:
 *
 *     y[n] = sin(2 pi t_n w_0), ..., sin(2 pi t_n w_h), cos(2 pi t_n w_0), ..., cos(2 pi t_n w_h)
 *     dw_i = sum_n 2 pi t_n (dy_sin cos(2 pi t_n w_i) - dy_cos sin(2 pi t_n w_i))
 *
 * WGSL promises little of sin and cos, and less of large angles, so whole turns are taken off first and
 * both are polynomials within an eighth of a turn.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { type BindingSpec, defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { exactText } from "../shared/exact.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/**
 * WGSL: `circle(a, quarter) -> vec2f`, sine and cosine of an angle of at most pi / 4 and quarters of a
 * turn. Taylor series.
 */
export const CIRCLE = `
fn circle(a: f32, quarter: f32) -> vec2f {
  let b = a * a;
  let s = a * (1.0 + b * (-0.166666667 + b * (0.00833333333 + b * (-0.000198412698
    + b * 0.00000275573192))));
  let c = 1.0 + b * (-0.5 + b * (0.0416666667 + b * (-0.00138888889 + b * (0.0000248015873
    + b * -0.000000275573192))));
  let q = i32(quarter) & 3;
  let swapped = select(vec2f(s, c), vec2f(c, s), (q & 1) == 1);
  return vec2f(select(swapped.x, -swapped.x, q >= 2), select(swapped.y, -swapped.y, q == 1 || q == 2));
}
`;

/**
 * WGSL: `turn(x, w) -> vec2f`, sine and cosine of `2 pi x w`, off by less than 1.5e-7. All that a network
 * gives depends on them, so what rounding leaves of a product of many turns is kept.
 */
const TURN = `${CIRCLE}
fn turn(x: f32, w: f32) -> vec2f {
  let u = rounded(x * w);
  let rest = u - round(u);
  let quarter = round(4.0 * rest);
  return circle(6.28318531 * ((rest - 0.25 * quarter) - remainder(u, x, w)), quarter);
}
`;

const READ: BindingSpec = { type: full(1), access: "read" };
const WRITE: BindingSpec = { type: full(1), access: "write" };

const MAIN = `
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
`;

const forwardKernel = defineKernel({
  name: "fourierFeatures",
  bindings: { numbers: READ, frequencies: READ, result: WRITE },
  params: { items: "u32", half: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}${exactText("params.half >> 31u")}${TURN}${MAIN}
  let n = i / params.half;
  let k = i % params.half;
  let both = turn(numbers[n], frequencies[k]);
  result[2u * n * params.half + k] = both.x;
  result[(2u * n + 1u) * params.half + k] = both.y;
}`,
});

const backwardKernel = defineKernel({
  name: "fourierFeaturesBackward",
  bindings: { numbers: READ, frequencies: READ, dy: READ, result: WRITE },
  params: { items: "u32", count: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}${exactText("params.count >> 31u")}${TURN}${MAIN}
  let half = params.items;
  var total = 0.0;
  for (var n = 0u; n < params.count; n++) {
    let both = turn(numbers[n], frequencies[i]);
    let along = dy[2u * n * half + i] * both.y - dy[(2u * n + 1u) * half + i] * both.x;
    total += 6.28318531 * numbers[n] * along;
  }
  result[i] = total;
}`,
});

/**
 * Sines, then cosines, `[N, 2 h]`.
 *
 * @param numbers `[N]`
 * @param frequencies Turns for each unit of a number, `[h]`.
 * @throws {RangeError} When either has not one axis.
 */
export function fourierFeaturesForward(
  capture: Capture,
  numbers: TensorRef,
  frequencies: TensorRef,
): TensorRef {
  const [n = 0] = numbers.shape, [half = 0] = frequencies.shape;
  if (numbers.shape.length !== 1 || frequencies.shape.length !== 1) {
    throw new RangeError(
      `Cannot make Fourier features: numbers and frequencies must have shapes [N] and [h], got ${
        formatShape(numbers.shape)
      } and ${formatShape(frequencies.shape)}`,
    );
  }
  const result = capture.transient([n, 2 * half], "Fourier features");
  capture.dispatch({
    kernel: forwardKernel,
    bindings: { numbers, frequencies, result },
    params: { items: n * half, half },
    workgroups: flatGrid(n * half, STREAM_WORKGROUP),
  });
  return result;
}

/** Gradient with respect to the frequencies from `dy` `[N, 2 h]`. */
export function fourierFeaturesBackward(
  capture: Capture,
  numbers: TensorRef,
  frequencies: TensorRef,
  dy: TensorRef,
): TensorRef {
  const result = capture.transient(frequencies.shape, "Fourier features dw");
  const half = sizeOf(frequencies.shape);
  capture.dispatch({
    kernel: backwardKernel,
    bindings: { numbers, frequencies, dy, result },
    params: { items: half, count: sizeOf(numbers.shape) },
    workgroups: flatGrid(half, STREAM_WORKGROUP),
  });
  return result;
}
