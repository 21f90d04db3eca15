/**
 * Classifier-free guidance (Ho and Salimans 2022, arXiv 2207.12598, equation 6): from what a network
 * says of an image with its class, c, and without, u,
 *
 *     y = u + scale (c - u)
 *
 * and, so that large scales do not raise the contrast (Lin et al. 2024, arXiv 2305.08891, equations 15
 * and 16), `y' = (rescale std(c) / std(y) + 1 - rescale) y`, with deviations over an image.
 *
 * The part of `c - u` that is parallel to c raises saturation more than it guides, and may be left out or
 * kept in part (Sadat et al. 2024, arXiv 2410.02416, equation 3).
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, slice, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/**
 * A batch and the same again: `[N, ...]` to `[2 N, ...]`, of any type.
 *
 * @param rest What all elements of the second half are instead, for whole numbers.
 */
export function doubled(capture: Capture, x: TensorRef, rest?: number): TensorRef {
  const [n = 0, ...shape] = x.shape;
  const items = sizeOf(x.shape);
  const result = capture.transient([2 * n, ...shape], "twice", x.dtype);
  const type = elementOf(x.dtype, 1);
  capture.dispatch({
    kernel: defineKernel({
      name: `doubled.${type}${rest === undefined ? "" : ".rest"}`,
      bindings: { x: { type, access: "read" }, result: { type, access: "write" } },
      params: { items: "u32", rest: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  result[i] = x[i];
  result[params.items + i] = ${rest === undefined ? "x[i]" : `${type}(params.rest)`};
}`,
    }),
    bindings: { x, result },
    params: { items, rest: rest ?? 0 },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}

/** What a network says: in one tensor, `[2 N, ..., C]` with the class first, or in two. */
export type Predictions =
  | { readonly both: TensorRef }
  | { readonly conditional: TensorRef; readonly unconditional: TensorRef };

/** How much it is guided. */
export interface GuidanceStrength {
  readonly scale: number;
  /** From 0, not at all, to 1. */
  readonly rescale: number;
  /** Channels, from the first on, that it acts on; others stay as with the class. */
  readonly channels: number;
  /** What is kept of the part of `c - u` that is parallel to c; all, 1, unless given. */
  readonly keepParallel?: number;
}

/**
 * The guided prediction, `[N, ..., C]`.
 *
 * @throws {RangeError} When shapes differ.
 */
export function guide(
  capture: Capture,
  predictions: Predictions,
  { scale, rescale, channels, keepParallel = 1 }: GuidanceStrength,
): TensorRef {
  if (keepParallel !== 1) {
    const turned = withoutParallel(capture, predictions, keepParallel);
    return guide(capture, turned, { scale, rescale, channels });
  }
  const shape = shapeOf(predictions), depth = shape.at(-1) ?? 1;
  const together = "both" in predictions;
  const items = sizeOf(shape), type = full(1);
  const result = capture.transient(shape, "guided");
  const inputs = together
    ? { both: predictions.both }
    : { c: predictions.conditional, u: predictions.unconditional };
  capture.dispatch({
    kernel: defineKernel({
      name: together ? "guide.both" : "guide",
      bindings: {
        ...Object.fromEntries(
          Object.keys(inputs).map((name) => [name, { type, access: "read" as const }]),
        ),
        result: { type, access: "write" as const },
      },
      params: { items: "u32", depth: "u32", channels: "u32", scale: "f32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let with_ = ${together ? "both[i]" : "c[i]"};
  let without_ = ${together ? "both[params.items + i]" : "u[i]"};
  let guided = without_ + params.scale * (with_ - without_);
  result[i] = select(with_, guided, i % params.depth < params.channels);
}`,
    }),
    bindings: { ...inputs, result },
    params: { items, depth, channels, scale },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  if (rescale === 0) return result;
  return rescaled(capture, result, together ? predictions.both : predictions.conditional, rescale);
}

/** Predictions whose difference has lost `1 - keep` of its part along the first, image by image. */
function withoutParallel(capture: Capture, predictions: Predictions, keep: number): Predictions {
  const [n = 0, ...rest] = shapeOf(predictions), length = sizeOf(rest);
  const [conditional, unconditional] = "both" in predictions
    ? [0, n * length].map((start) => slice(predictions.both, start, [n, ...rest]))
    : [predictions.conditional, predictions.unconditional];
  const type = full(1);
  const result = capture.transient([n, ...rest], "without the parallel part");
  capture.dispatch({
    kernel: defineKernel({
      name: "guideWithoutParallel",
      bindings: {
        c: { type, access: "read" },
        u: { type, access: "read" },
        result: { type, access: "write" },
      },
      params: { images: "u32", length: "u32", lost: "f32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}${TOTAL}${IMAGE_MAIN}
  var sum = vec2f(0.0);
  for (var i = first + t; i < end; i += WX) { sum += c[i] * vec2f(c[i] - u[i], c[i]); }
  let products = total(t, sum);
  let along = select(0.0, params.lost * products.x / products.y, products.y > 0.0);
  if (image < params.images) {
    for (var i = first + t; i < end; i += WX) { result[i] = u[i] + along * c[i]; }
  }
}`,
    }),
    bindings: { c: conditional!, u: unconditional!, result },
    params: { images: n, length, lost: 1 - keep },
    workgroups: flatGrid(n),
  });
  return { conditional: conditional!, unconditional: result };
}

/** WGSL: sums over a workgroup, in a fixed order; from uniform control flow. */
const TOTAL = `
var<workgroup> parts: array<vec2f, WX>;
fn total(t: u32, x: vec2f) -> vec2f {
  workgroupBarrier();
  parts[t] = x;
  workgroupBarrier();
  var sum = parts[0];
  for (var i = 1u; i < WX; i++) { sum += parts[i]; }
  return sum;
}
`;

/** WGSL: opening of a kernel with a workgroup an image, whose elements lie from `first` to `end`. */
const IMAGE_MAIN = `
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) t: u32) {
  let image = flatWorkgroup(id, grid);
  let first = min(image, params.images - 1u) * params.length;
  let end = first + params.length;`;

function shapeOf(predictions: Predictions): readonly number[] {
  if ("both" in predictions) {
    const [n = 0, ...shape] = predictions.both.shape;
    if (n > 0 && n % 2 === 0) return [n / 2, ...shape];
    throw new RangeError(`Cannot guide: there must be pairs of predictions, got ${n}`);
  }
  const { conditional: { shape }, unconditional } = predictions;
  if (formatShape(shape) === formatShape(unconditional.shape)) return shape;
  throw new RangeError(
    `Cannot guide: both predictions must have one shape, got ${formatShape(shape)} and ${
      formatShape(unconditional.shape)
    }`,
  );
}

/**
 * `y` with its deviation brought nearer to that of `c`, image by image; a workgroup an image.
 *
 * @param c Of the shape of `y`, perhaps followed by more.
 */
function rescaled(capture: Capture, y: TensorRef, c: TensorRef, rescale: number): TensorRef {
  const [n = 0] = y.shape, length = sizeOf(y.shape) / n;
  const type = full(1);
  const result = capture.transient(y.shape, "rescaled");
  capture.dispatch({
    kernel: defineKernel({
      name: "rescaleGuidance",
      bindings: {
        y: { type, access: "read" },
        c: { type, access: "read" },
        result: { type, access: "write" },
      },
      params: { images: "u32", length: "u32", rescale: "f32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}${TOTAL}${IMAGE_MAIN}
  var sum = vec2f(0.0);
  for (var i = first + t; i < end; i += WX) { sum += vec2f(y[i], c[i]); }
  let mean = total(t, sum) / f32(params.length);
  var squares = vec2f(0.0);
  for (var i = first + t; i < end; i += WX) {
    let d = vec2f(y[i], c[i]) - mean;
    squares += d * d;
  }
  let power = total(t, squares);
  // An even image has nothing to bring nearer.
  let ratio = select(1.0, sqrt(power.y / power.x), power.x > 0.0);
  let factor = params.rescale * ratio + (1.0 - params.rescale);
  if (image < params.images) {
    for (var i = first + t; i < end; i += WX) { result[i] = factor * y[i]; }
  }
}`,
    }),
    bindings: { y, c, result },
    params: { images: n, length, rescale },
    workgroups: flatGrid(n),
  });
  return result;
}
