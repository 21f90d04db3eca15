/**
 * The learned logarithm of the signal-to-noise ratio l of a time t from 0 to 1 (Kingma et al. 2021, arXiv
 * 2107.00630, section 3.2; lucidrains' code): a network that grows with time, as all of
 * its weights are taken without their signs, between ends that are fixed,
 *
 *     net(t) = u + sum_j |c_j| s(|a_j| u + |b_j|) + |d|,   u = |w| t + |v|,   s the logistic function
 *     l      = start + slope r,   r = (net(t) - net(0)) / (net(1) - net(0))
 *
 * d cancels. A net of many units is nearly straight, and all gradients are of how it is bent: r - t is
 * what is computed, unit by unit, from differences that lose nothing to cancellation,
 *
 *     s(y) - s(x)   = s(y) s(-x) (1 - exp(x - y))
 *     s'(y) - s'(x) = (s(y) - s(x)) (1 - s(y) - s(x))
 *
 * The gradient of a parameter p is the sum over times of
 *
 *     slope dl / (net(1) - net(0)) (d(net(t) - net(0))/dp - r d(net(1) - net(0))/dp)
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { type BindingSpec, defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { ACCURATE_EXP } from "../elementwise/exp.ts";
import { STREAM_WORKGROUP } from "../shared/grid.ts";

const READ: BindingSpec = { type: full(1), access: "read" };
const WRITE: BindingSpec = { type: full(1), access: "write" };

/** Lanes that share out the hidden units in the backward pass. */
const LANES = 256;

/** Where parameters lie side by side: w, v, all a, all b, all c, d. */
const COMMON = `
alias V = f32;
${ACCURATE_EXP}
fn logistic(x: f32) -> f32 { return 1.0 / (1.0 + accurateExp(-x)); }

// 1 - exp(-y) for y of at least 0.
fn grown(y: f32) -> f32 {
  let series = y * (1.0 - y / 2.0 * (1.0 - y / 3.0 * (1.0 - y / 4.0 * (1.0 - y / 5.0
    * (1.0 - y / 6.0 * (1.0 - y / 7.0))))));
  return select(1.0 - accurateExp(-y), series, y < 0.5);
}

fn parameter(i: u32) -> f32 { return abs(p[i]); }

// A hidden unit: c, s at times 0 and 1, 1 - s at a time, and what s grows by before it and after it.
struct Unit { c: f32, first: f32, last: f32, lack: f32, before: f32, after: f32 }

fn unitAt(j: u32, t: f32) -> Unit {
  let h = params.hidden;
  let a = parameter(2u + j);
  let x = a * parameter(1u) + parameter(2u + h + j);
  let by = a * parameter(0u);
  let y = x + by * t;
  let last = logistic(x + by);
  let lack = logistic(-y);
  return Unit(
    parameter(2u + 2u * h + j),
    logistic(x),
    last,
    lack,
    logistic(y) * logistic(-x) * grown(by * t),
    last * lack * grown(by * (1.0 - t)),
  );
}
`;

const forwardKernel = defineKernel({
  name: "monotoneLogSnr",
  bindings: { p: READ, times: READ, result: WRITE, growth: WRITE },
  params: { hidden: "u32", start: "f32", slope: "f32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  workgroupBytes: 8 * STREAM_WORKGROUP,
  wgsl: `${COMMON}
var<workgroup> shared_: array<vec2f, WX>;
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_index) lane: u32) {
  let h = params.hidden;
  let t = times[group.x];
  // How much the net is above the straight line at this time, and how much it grows until time 1.
  var total = vec2f(0.0);
  for (var j = lane; j < h; j += WX) {
    let unit = unitAt(j, t);
    total += unit.c * vec2f((1.0 - t) * unit.before - t * unit.after, unit.before + unit.after);
  }
  shared_[lane] = total;
  for (var half = WX / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { shared_[lane] += shared_[lane + half]; }
  }
  if (lane > 0u) { return; }
  let whole = shared_[0].y + parameter(0u);
  let bend = shared_[0].x / whole;
  growth[2u * group.x] = bend;
  growth[2u * group.x + 1u] = whole;
  result[group.x] = params.start + params.slope * (t + bend);
}`,
});

const backwardKernel = defineKernel({
  name: "monotoneLogSnrBackward",
  bindings: { p: READ, times: READ, growth: READ, dy: READ, result: WRITE },
  params: { hidden: "u32", count: "u32", slope: "f32" },
  workgroupSize: [LANES, 1, 1],
  workgroupBytes: 8 * LANES,
  wgsl: `${COMMON}
var<workgroup> shared_: array<vec2f, WX>;
fn put(i: u32, gradient: f32) { result[i] = sign(p[i]) * gradient; }
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(local_invocation_index) lane: u32) {
  let h = params.hidden;
  let w = parameter(0u);
  let v = parameter(1u);
  // Of w and v.
  var input = vec2f(0.0);
  for (var j = lane; j < h; j += WX) {
    var total = vec3f(0.0);
    for (var n = 0u; n < params.count; n++) {
      let t = times[n];
      let bend = growth[2u * n];
      let dr = params.slope * dy[n] / growth[2u * n + 1u];
      let unit = unitAt(j, t);
      let slopeBefore = unit.before * (unit.lack - unit.first);
      let slopeAfter = unit.after * (unit.lack - unit.last);
      let ofPlace = (1.0 - t) * slopeBefore - t * slopeAfter - bend * (slopeBefore + slopeAfter);
      let ofTime = -t * slopeAfter - bend * unit.last * (1.0 - unit.last);
      let ofSize = (1.0 - t) * unit.before - t * unit.after - bend * (unit.before + unit.after);
      total += dr * vec3f(unit.c * (w * ofTime + v * ofPlace), unit.c * ofPlace, ofSize);
      input += dr * unit.c * parameter(2u + j) * vec2f(ofTime, ofPlace);
    }
    put(2u + j, total.x);
    put(2u + h + j, total.y);
    put(2u + 2u * h + j, total.z);
  }
  for (var n = lane; n < params.count; n += WX) {
    input.x -= params.slope * dy[n] / growth[2u * n + 1u] * growth[2u * n];
  }
  shared_[lane] = input;
  for (var half = WX / 2u; half > 0u; half /= 2u) {
    workgroupBarrier();
    if (lane < half) { shared_[lane] += shared_[lane + half]; }
  }
  if (lane > 0u) { return; }
  put(0u, shared_[0].x);
  put(1u, shared_[0].y);
  put(2u + 3u * h, 0.0);
}`,
});

/** The straight line that r stands for. */
export interface LogSnrLine {
  /** l at time 0. */
  readonly start: number;
  /** What l moves by until time 1. */
  readonly slope: number;
}

/** Parameters of so many hidden units. */
export function monotoneSize(hidden: number): number {
  return 3 * hidden + 3;
}

/**
 * Log SNRs of times.
 *
 * @param p The parameters side by side: w, v, all a, all b, all c, d.
 * @param times `[N]`, from 0 to 1.
 * @returns l `[N]`, and r - t and net(1) - net(0) of each, `[N, 2]`.
 * @throws {RangeError} When `p` is not of {@linkcode monotoneSize}, or times have not one axis.
 */
export function monotoneLogSnrForward(
  capture: Capture,
  p: TensorRef,
  times: TensorRef,
  line: LogSnrLine,
): { readonly result: TensorRef; readonly growth: TensorRef } {
  const hidden = hiddenOf(p), [count = 0] = times.shape;
  if (times.shape.length !== 1) {
    throw new RangeError(
      `Cannot compute log SNRs: times must have shape [N], got ${formatShape(times.shape)}`,
    );
  }
  const result = capture.transient([count], "log SNR");
  const growth = capture.transient([count, 2], "growth");
  capture.dispatch({
    kernel: forwardKernel,
    bindings: { p, times, result, growth },
    params: { hidden, start: line.start, slope: line.slope },
    workgroups: [count, 1, 1],
  });
  return { result, growth };
}

/**
 * Gradient with respect to the parameters from `dy` `[N]`.
 *
 * @param growth As the forward pass has found it.
 */
export function monotoneLogSnrBackward(
  capture: Capture,
  { p, times, growth, dy }: Readonly<Record<"p" | "times" | "growth" | "dy", TensorRef>>,
  slope: number,
): TensorRef {
  const result = capture.transient(p.shape, "monotone log SNR dp");
  capture.dispatch({
    kernel: backwardKernel,
    bindings: { p, times, growth, dy, result },
    params: { hidden: hiddenOf(p), count: sizeOf(times.shape), slope },
    workgroups: [1, 1, 1],
  });
  return result;
}

function hiddenOf({ shape }: TensorRef): number {
  const hidden = (sizeOf(shape) - 3) / 3;
  if (Number.isInteger(hidden) && hidden >= 1) return hidden;
  throw new RangeError(
    `Cannot compute log SNRs: there must be 3 H + 3 parameters, got ${sizeOf(shape)}`,
  );
}
