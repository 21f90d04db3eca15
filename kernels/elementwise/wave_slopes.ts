/**
 * The gradient of sines and cosines with respect to the numbers that they are of. With
 * `s_i = sin(f t_n w_i)` and `c_i = cos(f t_n w_i)` as they were made,
 *
 *     dt_n = f sum_i w_i (ds_i c_i - dc_i s_i)
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { type BindingSpec, defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

const READ: BindingSpec = { type: full(1), access: "read" };

const kernel = defineKernel({
  name: "waveSlopes",
  bindings: {
    y: READ,
    dy: READ,
    frequencies: READ,
    result: { type: full(1), access: "write" },
  },
  params: { items: "u32", waves: "u32", step: "u32", cosine: "u32", factor: "f32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let n = flatInvocation(global, groups);
  if (n >= params.items) { return; }
  var total = 0.0;
  for (var i = 0u; i < params.waves; i++) {
    let s = 2u * n * params.waves + i * params.step;
    let c = s + params.cosine;
    total += frequencies[i] * (dy[s] * y[c] - dy[c] * y[s]);
  }
  result[n] = params.factor * total;
}`,
});

/** How sines and cosines lie in a row: in pairs, or all sines before all cosines. */
export type WaveOrder = "pairs" | "halves";

/**
 * See the module.
 *
 * @param y Sines and cosines, `[N, 2 F]`.
 * @param dy Their gradient, of the same shape.
 * @param frequencies `[F]`
 * @param factor f: radians for each unit of a number times a frequency.
 * @returns `[N]`
 * @throws {RangeError} When shapes do not fit.
 */
export function waveSlopes(
  capture: Capture,
  { y, dy, frequencies }: Readonly<Record<"y" | "dy" | "frequencies", TensorRef>>,
  { order, factor }: { readonly order: WaveOrder; readonly factor: number },
): TensorRef {
  const [items = 0, width = 0] = y.shape, waves = sizeOf(frequencies.shape);
  if (
    y.shape.length !== 2 || width !== 2 * waves || formatShape(y.shape) !== formatShape(dy.shape)
  ) {
    throw new RangeError(
      `Cannot differentiate sinusoids: they and their gradient must have shape [N, 2 F] for F ` +
        `frequencies, got ${
          [y, dy, frequencies].map(({ shape }) => formatShape(shape)).join(", ")
        }`,
    );
  }
  const result = capture.transient([items], "wave slopes");
  const places = order === "pairs" ? { step: 2, cosine: 1 } : { step: 1, cosine: waves };
  capture.dispatch({
    kernel,
    bindings: { y, dy, frequencies, result },
    params: { items, waves, ...places, factor },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}
