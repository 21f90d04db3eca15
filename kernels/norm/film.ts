/**
 * Feature-wise linear modulation (Perez et al. 2018): a scale and a shift of each channel that differ from
 * image to image, with SiLU behind them by choice:
 *
 *     z = x (1 + scale) + shift,   y = z  or  y = z s(z)
 *     dx = dz (1 + scale),   dscale = sum(dz x),   dshift = sum(dz),   over the places of an image
 *     dz = dy  or  dy s(z) (1 + z (1 - s(z)))
 *
 * with the logistic function s. Scales and shifts are columns of a matrix that may hold those of many
 * layers side by side.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel, type ParamType } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { SIGMOID } from "../elementwise/silu.ts";
import { bitsAlias } from "../shared/pointwise.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** Choices of {@linkcode filmForward}. */
export interface FilmOptions {
  /** The first of C columns of scales, which C of shifts follow. */
  readonly start: number;
  /** Whether SiLU follows. */
  readonly silu: boolean;
}

/** Places of a partial sum of dscale and dshift, and the most such parts of an image. */
const PART_PLACES = 32;
const MOST_PARTS = 64;

const PARAMS = {
  items: "u32",
  channels: "u32",
  places: "u32",
  row: "u32",
  start: "u32",
} as const satisfies Record<string, ParamType>;

/** Sizes of a checked modulation, and the parameters of its kernels, which count vectors. */
function layOut(x: TensorRef, matrix: TensorRef, start: number) {
  const [n = 0] = x.shape, c = x.shape.at(-1) ?? 0;
  const [rows, row = 0] = matrix.shape;
  if (
    x.shape.length < 2 || matrix.shape.length !== 2 || rows !== n || start < 0 ||
    start + 2 * c > row
  ) {
    throw new RangeError(
      `Cannot modulate ${x.label}: there must be ${n} rows with columns ${start} to ${
        start + 2 * c
      } for ${formatShape(x.shape)}, got ${formatShape(matrix.shape)}`,
    );
  }
  const pack = [c, row, start].every((length) => length % 4 === 0) ? 4 as const : 1 as const;
  const places = sizeOf(x.shape) / n / c;
  const params = { channels: c / pack, places, row: row / pack, start: start / pack };
  return { n, c, pack, type: full(pack), places, params };
}

const functions = (silu: boolean) =>
  silu
    ? `${SIGMOID}
fn activated(z: V) -> V { return z / (1.0 + expOf(-z)); }
fn before(z: V, dy: V) -> V { let s = sigmoid(z); return dy * s * (1.0 + z * (1.0 - s)); }
`
    : `
fn activated(z: V) -> V { return z; }
fn before(z: V, dy: V) -> V { return dy; }
`;

const MAIN = `
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let c = i % params.channels;
`;

/**
 * `y = silu?(x (1 + scale) + shift)`.
 *
 * @param x `[N, ..., C]`.
 * @param matrix `[N, M]`
 * @throws {RangeError} When shapes do not fit.
 */
export function filmForward(
  capture: Capture,
  x: TensorRef,
  matrix: TensorRef,
  { silu, start }: FilmOptions,
): TensorRef {
  const { type, pack, params } = layOut(x, matrix, start);
  const y = capture.transient(x.shape, "film", x.dtype);
  const items = sizeOf(x.shape) / pack;
  capture.dispatch({
    kernel: defineKernel({
      name: `film${silu ? ".silu" : ""}.${type}`,
      bindings: {
        x: { type, access: "read" },
        matrix: { type, access: "read" },
        y: { type, access: "write" },
      },
      params: PARAMS,
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `alias V = ${type};
${bitsAlias(pack)}${FLAT_INDEX}${functions(silu)}${MAIN}
  let at = i / params.channels / params.places * params.row + params.start + c;
  let value = x[i];
  // 1 + scale, rounded, would err alike in all places of an image.
  y[i] = activated(value + value * matrix[at] + matrix[at + params.channels]);
}`,
    }),
    bindings: { x, matrix, y },
    params: { ...params, items },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return y;
}

/**
 * Gradients of {@linkcode filmForward}: of `x`, and of the columns of scales and shifts in parts, of which
 * `[n, count, 2 c]` are the sizes.
 */
export function filmBackward(
  capture: Capture,
  x: TensorRef,
  matrix: TensorRef,
  dy: TensorRef,
  { silu, start }: FilmOptions,
): { dx: TensorRef; parts: TensorRef; sizes: [n: number, count: number, columns: number] } {
  const { n, c, type, pack, places, params } = layOut(x, matrix, start);
  const partPlaces = Math.max(PART_PLACES, Math.ceil(places / MOST_PARTS));
  const count = Math.ceil(places / partPlaces);
  const dx = capture.transient(x.shape, "film dx", x.dtype);
  const parts = capture.transient([n, count, 2 * c], "film parts");
  const items = n * count * c / pack;
  capture.dispatch({
    kernel: defineKernel({
      name: `filmBackward${silu ? ".silu" : ""}.${type}`,
      bindings: {
        x: { type, access: "read" },
        matrix: { type, access: "read" },
        dy: { type, access: "read" },
        dx: { type, access: "write" },
        parts: { type, access: "write" },
      },
      params: { ...PARAMS, count: "u32", partPlaces: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `alias V = ${type};
${bitsAlias(pack)}// The bits stay, but no compiler knows.
fn rounded(a: V) -> V { return bitcast<V>(bitcast<U>(a) ^ U(params.items >> 31u)); }
${FLAT_INDEX}${functions(silu)}${MAIN}
  let n = i / params.channels / params.count;
  let part = i / params.channels % params.count;
  let at = n * params.row + params.start + c;
  let factor = matrix[at];
  let shift = matrix[at + params.channels];
  let end = min((part + 1u) * params.partPlaces, params.places);
  var scales = V(0.0);
  var shifts = V(0.0);
  var lost = V(0.0);
  for (var place = part * params.partPlaces; place < end; place++) {
    let k = (n * params.places + place) * params.channels + c;
    let value = x[k];
    let dz = before(value + value * factor + shift, dy[k]);
    // A scale's gradient keeps what additions lose (Knuth's TwoSum).
    let term = dz * value;
    let next = rounded(scales + term);
    let other = rounded(next - scales);
    lost += (scales - rounded(next - other)) + (term - other);
    scales = next;
    shifts += dz;
    dx[k] = dz + dz * factor;
  }
  let to = (n * params.count + part) * 2u * params.channels + c;
  parts[to] = scales + lost;
  parts[to + params.channels] = shifts;
}`,
    }),
    bindings: { x, matrix, dy, dx, parts },
    params: { ...params, items, count, partPlaces },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return { dx, parts, sizes: [n, count, 2 * c] };
}
