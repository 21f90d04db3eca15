/**
 * Terms of the variational bound for Gaussian steps whose variance a network outputs, in nats a value
 * (Nichol and Dhariwal 2021, arXiv 2102.09672, equations 4 to 6 and 15). With l = middle + half v the
 * logarithm of the network's variance, l' that of the posterior and d the difference of their means:
 *
 *     KL of a step       (l - l' - 1 + exp(l' - l) + d^2 exp(-l)) / 2
 *     at timestep 0      -log of the probability of the value's bin, x0 +- 1/255, the outermost bins
 *                        open to the outside
 *
 * The bin's probability goes by the tanh form of the normal distribution, as in the authors' code,
 * F(x) = s(a(x)) with s the logistic function. Written with s it needs no difference of F:
 *
 *     s(a) - s(b) = s(a) s(-b) (1 - exp(b - a))
 *
 * Only the variance has a gradient.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, full } from "../../device/element.ts";
import { type BindingSpec, defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** What the bound goes by at a row of the schedule. */
export interface BoundRow {
  /** What the mean of a step moves by for each unit of x0. */
  readonly meanFromX0: number;
  /** l', the logarithm of the posterior's variance. */
  readonly posterior: number;
  /** l where the network outputs 0. */
  readonly middle: number;
  /** What l moves by for each unit of its output. */
  readonly half: number;
  /** Whether it is the last step, which ends at the image. */
  readonly last: boolean;
}

/** Numbers of a row. */
const ROW_LENGTH = 5;

/** The rows as {@linkcode boundForward} reads them, f32 `[T * 5]`. */
export function boundTable(rows: readonly BoundRow[]): Float32Array<ArrayBuffer> {
  return Float32Array.from(
    rows.flatMap((
      { meanFromX0, posterior, middle, half, last },
    ) => [meanFromX0, posterior, middle, half, last ? 1 : 0]),
  );
}

/** What the bound is taken of. */
export interface BoundTensors {
  /** Clean images `[N, ...]`, -1 to 1. */
  readonly x0: TensorRef;
  /** What the network takes them for, of the same shape. */
  readonly clean: TensorRef;
  /** Its output of the variance, of the same shape. */
  readonly v: TensorRef;
  /** Rows of the schedule, u32 `[N]`. */
  readonly timesteps: TensorRef;
  /** {@linkcode boundTable}. */
  readonly table: TensorRef;
}

const COMMON = `
// Below a probability of 1e-15 the bound grows no more.
const LEAST = -34.5387764;

fn logistic(a: f32) -> f32 { return min(a, 0.0) - log(1.0 + exp(-abs(a))); }
fn angle(x: f32) -> f32 { return 1.59576912 * x * (1.0 + 0.044715 * x * x); }
fn angleSlope(x: f32) -> f32 { return 1.59576912 * (1.0 + 0.134145 * x * x); }

// 1 - exp(-y) for y of at least 0.
fn grown(y: f32) -> f32 {
  let series = y * (1.0 - y / 2.0 * (1.0 - y / 3.0 * (1.0 - y / 4.0 * (1.0 - y / 5.0
    * (1.0 - y / 6.0 * (1.0 - y / 7.0))))));
  return select(1.0 - exp(-y), series, y < 0.5);
}

// -log of the probability of the bin, and its slope in l.
fn bin(x0: f32, d: f32, l: f32) -> vec2f {
  let scale = exp(-0.5 * clamp(l, -80.0, 80.0));
  let far = scale * (d + 1.0 / 255.0);
  let near = scale * (d - 1.0 / 255.0);
  // Beyond 16 it is 0 or 1 to the last bit.
  let p = clamp(far, -16.0, 16.0);
  let m = clamp(near, -16.0, 16.0);
  let width = select(p - m, scale * (2.0 / 255.0), p == far && m == near);
  let a = angle(p);
  let b = angle(m);
  var found = 0.0;
  var slope = 0.0;
  if (x0 < -0.999) {
    found = logistic(a);
    slope = exp(logistic(-a)) * angleSlope(p) * p;
  } else if (x0 > 0.999) {
    found = logistic(-b);
    slope = -exp(logistic(b)) * angleSlope(m) * m;
  } else {
    let apart = grown(1.59576912 * width * (1.0 + 0.044715 * (p * p + p * m + m * m)));
    found = select(LEAST, logistic(a) + logistic(-b) + log(apart), apart > 0.0);
    slope = (exp(logistic(-a) - logistic(-b)) * angleSlope(p) * p
      - exp(logistic(b) - logistic(a)) * angleSlope(m) * m) / apart;
  }
  return select(vec2f(-LEAST, 0.0), vec2f(-found, 0.5 * slope), found > LEAST);
}

fn divergence(d: f32, l: f32, posterior: f32) -> vec2f {
  let ratio = exp(posterior - l);
  let square = d * d * exp(-l);
  return 0.5 * vec2f(l - posterior - 1.0 + ratio + square, 1.0 - ratio - square);
}

// The term, and its slope in v.
fn term(x0: f32, clean: f32, v: f32, row: u32) -> vec2f {
  let l = table[row + 2u] + table[row + 3u] * v;
  let d = table[row] * (x0 - clean);
  var found = divergence(d, l, table[row + 1u]);
  if (table[row + 4u] > 0.0) { found = bin(x0, d, l); }
  return found * vec2f(1.0, table[row + 3u]);
}
`;

/**
 * The terms, of the shape of the images.
 *
 * @throws {RangeError} When shapes differ.
 */
export function boundForward(capture: Capture, tensors: BoundTensors): TensorRef {
  return recordBound(capture, tensors, null);
}

/** Gradient with respect to `v`, for `dy` of its shape. */
export function boundBackward(capture: Capture, tensors: BoundTensors, dy: TensorRef): TensorRef {
  return recordBound(capture, tensors, dy);
}

function recordBound(
  capture: Capture,
  { x0, clean, v, timesteps, table }: BoundTensors,
  dy: TensorRef | null,
): TensorRef {
  const images = [x0, clean, v, ...dy ? [dy] : []];
  const [samples = 1] = x0.shape;
  if (
    images.some(({ shape }) => formatShape(shape) !== formatShape(x0.shape)) ||
    sizeOf(timesteps.shape) !== samples || sizeOf(table.shape) % ROW_LENGTH !== 0
  ) {
    throw new RangeError(
      "Cannot compute the variational bound: images, what is found of them and variances must have " +
        `one shape, with a timestep a sample, got ${
          [...images, timesteps].map(({ shape }) => formatShape(shape)).join(", ")
        }`,
    );
  }
  const name = dy ? "variationalBoundBackward" : "variationalBound";
  const result = capture.transient(x0.shape, name);
  const items = sizeOf(x0.shape), type = full(1);
  const given: Record<string, TensorRef> = { x0, clean, v, table, ...dy && { dy } };
  const specs: Record<string, BindingSpec> = Object.fromEntries(
    Object.keys(given).map((name) => [name, { type, access: "read" }]),
  );
  capture.dispatch({
    kernel: defineKernel({
      name,
      bindings: {
        ...specs,
        timesteps: { type: elementOf("u32", 1), access: "read" },
        result: { type, access: "write" },
      },
      params: { items: "u32", sampleItems: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}${COMMON}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let found = term(x0[i], clean[i], v[i], ${ROW_LENGTH}u * timesteps[i / params.sampleItems]);
  result[i] = ${dy ? "dy[i] * found.y" : "found.x"};
}`,
    }),
    bindings: { ...given, timesteps, result },
    params: { items, sampleItems: items / samples },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}
