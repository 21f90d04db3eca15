/**
 * Group normalisation (Wu and He 2018, equations 1 to 4) of channels-last images, with SiLU fused
 * behind it by choice:
 *
 *     xhat = (x - mean) rstd,   z = xhat weight + bias,   y = z  or  y = z s(z)
 *     dx = rstd (weight dz - (sum(weight dz) + xhat sum(weight dz xhat)) / m)
 *     dweight = sum(dz xhat),   dbias = sum(dz),   dz = dy  or  dy s(z) (1 + z (1 - s(z)))
 *
 * mean and rstd = 1 / sqrt(variance + eps) are taken over the m elements of one image and group.
 *
 * One dispatch forward and two backward. A group may have any number of channels, so a vector of
 * four may straddle groups: sums are taken a channel first and combined a group in workgroup memory;
 * the second look at the image then comes from the cache.
 *
 * @module
 */
import type { Capture } from "../device/capture.ts";
import { defineKernel } from "../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../device/tensor.ts";
import { sumAffineParts } from "./affine_parts.ts";
import { FLAT_INDEX, flatGrid } from "./grid.ts";
import { type GroupNormLayout, layOutGroups } from "./group_norm_layout.ts";
import { SIGMOID } from "./silu.ts";

/** Choices of group normalisation. */
export interface GroupNormOptions {
  /** Groups that the channels are cut into; must divide them. */
  readonly groups: number;
  /** Added to the variance. */
  readonly eps: number;
  /** Whether SiLU follows. */
  readonly silu: boolean;
}

/** What the backward pass needs besides the input. */
export interface GroupNormSaved {
  /** Means, `[N, groups]`. */
  readonly mean: TensorRef;
  /** `1 / sqrt(variance + eps)`, `[N, groups]`. */
  readonly rstd: TensorRef;
}

/** Pixels that are summed before they are merged into the running sums, which keeps round-off low. */
const CHUNK = 32;

const COMMON_PARAMS = {
  pixels: "u32",
  stride: "u32",
  slab: "u32",
  slabs: "u32",
  lanes: "u32",
  rows: "u32",
  groupChannels: "u32",
  items: "u32",
} as const;

/**
 * `y = silu?(groupnorm(x) weight + bias)`.
 *
 * @param x `[N, H, W, C]`.
 * @param weight `[C]`.
 * @param bias `[C]`.
 * @throws {RangeError} When shapes or groups do not fit.
 */
export function groupNormForward(
  capture: Capture,
  x: TensorRef,
  weight: TensorRef,
  bias: TensorRef,
  options: GroupNormOptions,
): { y: TensorRef } & GroupNormSaved {
  const layout = layOutGroups(capture.gpu, x, options.groups);
  checkAffine(layout, weight, bias);
  const y = capture.transient(x.shape, "groupNorm");
  const mean = capture.transient([layout.images, layout.groups], "groupNorm mean");
  const rstd = capture.transient([layout.images, layout.groups], "groupNorm rstd");
  capture.dispatch({
    kernel: forwardKernel(layout, options.silu),
    bindings: { x, weight, bias, y, mean, rstd },
    params: { ...commonParams(layout), eps: options.eps },
    workgroups: flatGrid(layout.images * layout.slabs),
  });
  return { y, mean, rstd };
}

/**
 * Gradients of {@linkcode groupNormForward} from the upstream gradient `dy`.
 *
 * @param wanted Which gradients are wanted; null stands for the others.
 */
export function groupNormBackward(
  capture: Capture,
  { x, weight, bias, mean, rstd }:
    & { x: TensorRef; weight: TensorRef; bias: TensorRef }
    & GroupNormSaved,
  dy: TensorRef,
  options: GroupNormOptions,
  wanted: { readonly x: boolean; readonly affine: boolean } = { x: true, affine: true },
): { dx: TensorRef | null; dweight: TensorRef | null; dbias: TensorRef | null } {
  const layout = layOutGroups(capture.gpu, x, options.groups);
  const parts = capture.transient([layout.images, 2, layout.channels], "groupNorm parts");
  const dx = wanted.x ? capture.transient(x.shape, "groupNorm dx") : null;
  const kernel = backwardKernel(layout, options.silu, dx !== null);
  capture.dispatch({
    kernel,
    bindings: { x, dy, weight, bias, mean, rstd, parts, ...(dx ? { dx } : {}) },
    params: commonParams(layout),
    workgroups: flatGrid(layout.images * layout.slabs),
  });
  if (!wanted.affine) return { dx, dweight: null, dbias: null };
  return { dx, ...sumAffineParts(capture, parts) };
}

function checkAffine(layout: GroupNormLayout, weight: TensorRef, bias: TensorRef): void {
  for (const [name, tensor] of [["weight", weight], ["bias", bias]] as const) {
    if (sizeOf(tensor.shape) !== layout.channels) {
      throw new RangeError(
        `Cannot normalise groups: ${name} must have ${layout.channels} elements, got ${
          formatShape(tensor.shape)
        }`,
      );
    }
  }
}

function commonParams(layout: GroupNormLayout) {
  return {
    pixels: layout.pixels,
    stride: layout.channels / layout.width,
    slab: layout.slab,
    slabs: layout.slabs,
    lanes: layout.lanes,
    rows: layout.rows,
    groupChannels: layout.channels / layout.groups,
    items: layout.images * layout.slabs,
  };
}

/** Text that both kernels share: where an invocation works, and moves to and from shared memory. */
function commonText({ width, shared }: GroupNormLayout): string {
  const type = width === 4 ? "vec4f" : "f32";
  const component = (j: number) => width === 4 ? `[${j}]` : "";
  const each = (line: (j: number) => string) =>
    Array.from({ length: width }, (_, j) => line(j)).join("\n");
  return `alias V = ${type};
const W = ${width}u;
const CHUNK = ${CHUNK}u;
${FLAT_INDEX}
// [row][channel of the slab]; after combining, a group's result is at its first channel of row 0.
var<workgroup> sharedA: array<f32, ${shared}>;
var<workgroup> sharedB: array<f32, ${shared}>;

fn store(at: u32, a: V, b: V) {
${each((j) => `  sharedA[at + ${j}u] = a${component(j)}; sharedB[at + ${j}u] = b${component(j)};`)}
}

// First channel, in the slab, of the group of each channel of a vector.
fn groupStart(channel: u32) -> u32 { return channel - channel % params.groupChannels; }
fn loadA(channel: u32) -> V {
  return V(${
    Array.from({ length: width }, (_, j) => `sharedA[groupStart(channel + ${j}u)]`).join(", ")
  });
}
fn loadB(channel: u32) -> V {
  return V(${
    Array.from({ length: width }, (_, j) => `sharedB[groupStart(channel + ${j}u)]`).join(", ")
  });
}
`;
}

const MAIN = `
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) t: u32) {
  let item = flatWorkgroup(id, grid);
  if (item >= params.items) { return; }
  let image = item / params.slabs;
  let firstVector = (item % params.slabs) * params.slab;
  let origin = image * params.pixels * params.stride + firstVector;
  let row = t / params.lanes;
  let lane = t % params.lanes;
  let slabChannels = params.slab * W;
  let firstGroup = image * (params.stride * W / params.groupChannels)
    + firstVector * W / params.groupChannels;
  // Invocations beyond the last whole row have no pixels.
  let firstPixel = select(params.pixels, row, row < params.rows);
`;

function forwardKernel(layout: GroupNormLayout, silu: boolean) {
  const type = layout.width === 4 ? "vec4f" : "f32";
  return defineKernel({
    name: `groupNorm${silu ? "Silu" : ""}.${type}.${layout.workgroup}.${layout.shared}`,
    bindings: {
      x: { type, access: "read" },
      weight: { type, access: "read" },
      bias: { type, access: "read" },
      y: { type, access: "write" },
      mean: { type: "f32", access: "write" },
      rstd: { type: "f32", access: "write" },
    },
    params: { ...COMMON_PARAMS, eps: "f32" },
    workgroupSize: [layout.workgroup, 1, 1],
    workgroupBytes: 8 * layout.shared,
    wgsl: `${commonText(layout)}${SIGMOID}
fn activate(z: V) -> V { return ${silu ? "z * sigmoid(z)" : "z"}; }

struct Moments { mean: V, squares: V }

// Mean and sum of squared deviations of a lane's pixels (Chan, Golub and LeVeque 1983): each chunk
// is summed relative to the mean so far, so nothing cancels however far the data are from zero.
fn momentsOf(at: u32, first: u32) -> Moments {
  var mean = x[at + first * params.stride];
  var squares = V(0.0);
  var seen = 0.0;
  for (var start = first; start < params.pixels; start += params.rows * CHUNK) {
    let end = min(start + params.rows * CHUNK, params.pixels);
    var sum = V(0.0);
    var sumOfSquares = V(0.0);
    var count = 0.0;
    for (var p = start; p < end; p += params.rows) {
      let d = x[at + p * params.stride] - mean;
      sum += d;
      sumOfSquares += d * d;
      count += 1.0;
    }
    let shift = sum / count;
    let total = seen + count;
    mean += shift * (count / total);
    squares += max(sumOfSquares - sum * shift, V(0.0)) + shift * shift * (seen * count / total);
    seen = total;
  }
  return Moments(mean, squares);
}

// Combines rows into row 0 for one channel.
fn combineRows(channel: u32, slabChannels: u32) {
  var mean = 0.0;
  for (var r = 0u; r < params.rows; r++) {
    mean += pixelsOfRow(r) * sharedA[r * slabChannels + channel];
  }
  mean /= f32(params.pixels);
  var squares = 0.0;
  for (var r = 0u; r < params.rows; r++) {
    let d = sharedA[r * slabChannels + channel] - mean;
    squares += sharedB[r * slabChannels + channel] + pixelsOfRow(r) * d * d;
  }
  sharedA[channel] = mean;
  sharedB[channel] = squares;
}

fn pixelsOfRow(row: u32) -> f32 {
  if (row >= params.pixels) { return 0.0; }
  return f32((params.pixels - row - 1u) / params.rows + 1u);
}
${MAIN}
  for (var v = lane; v < params.slab && firstPixel < params.pixels; v += params.lanes) {
    let moments = momentsOf(origin + v, firstPixel);
    store(row * slabChannels + v * W, moments.mean, moments.squares);
  }
  workgroupBarrier();
  if (params.rows > 1u) {
    for (var c = t; c < slabChannels; c += WX) { combineRows(c, slabChannels); }
    workgroupBarrier();
  }
  for (var g = t; g * params.groupChannels < slabChannels; g += WX) {
    let start = g * params.groupChannels;
    var groupMean = 0.0;
    for (var c = 0u; c < params.groupChannels; c++) { groupMean += sharedA[start + c]; }
    groupMean /= f32(params.groupChannels);
    var squares = 0.0;
    for (var c = 0u; c < params.groupChannels; c++) {
      let d = sharedA[start + c] - groupMean;
      squares += sharedB[start + c] + f32(params.pixels) * d * d;
    }
    let variance = squares / (f32(params.pixels) * f32(params.groupChannels));
    let groupRstd = 1.0 / sqrt(variance + params.eps);
    sharedA[start] = groupMean;
    sharedB[start] = groupRstd;
    mean[firstGroup + g] = groupMean;
    rstd[firstGroup + g] = groupRstd;
  }
  workgroupBarrier();
  for (var v = lane; v < params.slab && firstPixel < params.pixels; v += params.lanes) {
    let m = loadA(v * W);
    let scale = loadB(v * W) * weight[firstVector + v];
    let shift = bias[firstVector + v];
    for (var p = firstPixel; p < params.pixels; p += params.rows) {
      let i = origin + v + p * params.stride;
      y[i] = activate((x[i] - m) * scale + shift);
    }
  }
}`,
  });
}

function backwardKernel(layout: GroupNormLayout, silu: boolean, withDx: boolean) {
  const type = layout.width === 4 ? "vec4f" : "f32";
  const gather = (name: string) =>
    Array.from(
      { length: layout.width },
      (_, j) => `${name}[firstGroup + (channel + ${j}u) / params.groupChannels]`,
    ).join(", ");
  return defineKernel<string, keyof typeof COMMON_PARAMS>({
    name: `groupNorm${silu ? "Silu" : ""}Backward.${type}.${layout.workgroup}.${layout.shared}${
      withDx ? "" : ".affine"
    }`,
    bindings: {
      x: { type, access: "read" },
      dy: { type, access: "read" },
      weight: { type, access: "read" },
      bias: { type, access: "read" },
      mean: { type: "f32", access: "read" },
      rstd: { type: "f32", access: "read" },
      parts: { type: "f32", access: "write" },
      ...(withDx ? { dx: { type, access: "write" } as const } : {}),
    },
    params: COMMON_PARAMS,
    workgroupSize: [layout.workgroup, 1, 1],
    workgroupBytes: 8 * layout.shared,
    wgsl: `${commonText(layout)}${SIGMOID}
fn meanOf(firstGroup: u32, channel: u32) -> V { return V(${gather("mean")}); }
fn rstdOf(firstGroup: u32, channel: u32) -> V { return V(${gather("rstd")}); }

// Gradient with respect to z = xhat w + b.
fn dzOf(dy: V, xhat: V, w: V, b: V) -> V {
${
      silu
        ? `  let z = xhat * w + b;
  let s = sigmoid(z);
  return dy * (s * (1.0 + z * (1.0 - s)));`
        : "  return dy;"
    }
}
${MAIN}
  for (var v = lane; v < params.slab && firstPixel < params.pixels; v += params.lanes) {
    let m = meanOf(firstGroup, v * W);
    let r = rstdOf(firstGroup, v * W);
    let w = weight[firstVector + v];
    let b = bias[firstVector + v];
    var sumX = V(0.0);
    var sum = V(0.0);
    for (var start = firstPixel; start < params.pixels; start += params.rows * CHUNK) {
      let end = min(start + params.rows * CHUNK, params.pixels);
      var chunkX = V(0.0);
      var chunk = V(0.0);
      for (var p = start; p < end; p += params.rows) {
        let i = origin + v + p * params.stride;
        let xhat = (x[i] - m) * r;
        let dz = dzOf(dy[i], xhat, w, b);
        chunkX += dz * xhat;
        chunk += dz;
      }
      sumX += chunkX;
      sum += chunk;
    }
    store(row * slabChannels + v * W, sumX, sum);
  }
  workgroupBarrier();
  let usedRows = min(params.rows, params.pixels);
  for (var c = t; c < slabChannels; c += WX) {
    var sumX = sharedA[c];
    var sum = sharedB[c];
    for (var r = 1u; r < usedRows; r++) {
      sumX += sharedA[r * slabChannels + c];
      sum += sharedB[r * slabChannels + c];
    }
    sharedA[c] = sumX;
    sharedB[c] = sum;
    let at = 2u * image * params.stride * W + firstVector * W + c;
    parts[at] = sumX;
    parts[at + params.stride * W] = sum;
  }
${withDx ? BACKWARD_DX(layout.width) : ""}
}`,
  });
}

/** Means over each group of weight dz xhat and weight dz, then dx. */
const BACKWARD_DX = (width: number) => `
  workgroupBarrier();
  let size = f32(params.pixels) * f32(params.groupChannels);
  for (var g = t; g * params.groupChannels < slabChannels; g += WX) {
    let start = g * params.groupChannels;
    var sumX = 0.0;
    var sum = 0.0;
    for (var c = start; c < start + params.groupChannels; c++) {
      let w = weight[firstVector + c / W]${width === 4 ? "[c % W]" : ""};
      sumX += w * sharedA[c];
      sum += w * sharedB[c];
    }
    sharedA[start] = sumX / size;
    sharedB[start] = sum / size;
  }
  workgroupBarrier();
  for (var v = lane; v < params.slab && firstPixel < params.pixels; v += params.lanes) {
    let m = meanOf(firstGroup, v * W);
    let r = rstdOf(firstGroup, v * W);
    let w = weight[firstVector + v];
    let b = bias[firstVector + v];
    let meanX = loadA(v * W);
    let mean = loadB(v * W);
    for (var p = firstPixel; p < params.pixels; p += params.rows) {
      let i = origin + v + p * params.stride;
      let xhat = (x[i] - m) * r;
      dx[i] = r * (w * dzOf(dy[i], xhat, w, b) - (mean + xhat * meanX));
    }
  }`;
