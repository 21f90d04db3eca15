/**
 * Natural logarithms of a few numbers. WGSL promises little of `log`, so the exponent is taken from the
 * bits and the rest, from sqrt(1/2) to sqrt(2), is a series:
 *
 *     log(2^e m) = e log 2 + 2 artanh(s),   s = (m - 1) / (m + 1)
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

const kernel = defineKernel({
  name: "log",
  bindings: { x: { type: full(1), access: "read" }, y: { type: full(1), access: "write" } },
  params: { items: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let bits = bitcast<u32>(x[i]);
  var e = f32(i32(bits >> 23u) - 127);
  var m = bitcast<f32>((bits & 0x7fffffu) | 0x3f800000u);
  if (m > 1.41421356) { m = 0.5 * m; e += 1.0; }
  let s = (m - 1.0) / (m + 1.0);
  let z = s * s;
  let tail = z * (0.333333333 + z * (0.2 + z * (0.142857143 + z * (0.111111111 + z * 0.0909090909))));
  // log 2 in two parts, the first of which has few bits.
  y[i] = e * 0.693359375 + (2.0 * s + (2.0 * s * tail + e * -0.000212194440));
}`,
});

/** `log x` of normal numbers above 0; any shape. */
export function logForward(capture: Capture, x: TensorRef): TensorRef {
  const y = capture.transient(x.shape, "log", x.dtype);
  const items = sizeOf(x.shape);
  capture.dispatch({
    kernel,
    bindings: { x, y },
    params: { items },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return y;
}
