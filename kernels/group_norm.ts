/**
 * Group normalisation (Wu and He 2018, equations 1 to 4) of channels-last images, with SiLU and dropout
 * fused behind it by choice:
 *
 *     xhat = (x - mean) rstd,   z = xhat weight + bias,   y = z  or  y = z s(z)
 *     dx = rstd (weight dz - (sum(weight dz) + xhat sum(weight dz xhat)) / m)
 *     dweight = sum(dz xhat),   dbias = sum(dz),   dz = dy  or  dy s(z) (1 + z (1 - s(z)))
 *
 * mean and rstd = 1 / sqrt(variance + eps) are taken over the m elements of one image and group.
 *
 * One dispatch forward and one backward, which leaves the gradients of weight and bias in parts. A group may have any number of channels, so a vector of
 * four may straddle groups: sums are taken a channel first and combined a group in workgroup memory;
 * the second look at the image then comes from the cache.
 *
 * @module
 */
import type { Capture } from "../device/capture.ts";
import type { BindingSpec, Kernel } from "../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../device/tensor.ts";
import { affineSums } from "./affine_parts.ts";
import { DROPOUT_PARAMS, type DropoutOptions, dropoutParams, KEPT } from "./dropout.ts";
import { flatGrid } from "./grid.ts";
import {
  GROUP_MAIN,
  GROUP_PARAMS,
  type GroupNormLayout,
  groupParams,
  groupText,
  layOutGroups,
} from "./group_norm_layout.ts";
import type { PartialSum } from "./partial_sums.ts";
import { SIGMOID } from "./silu.ts";

/** Choices of group normalisation. */
export interface GroupNormOptions {
  /** Groups that the channels are cut into; must divide them. */
  readonly groups: number;
  /** Added to the variance. */
  readonly eps: number;
  /** Whether SiLU follows. */
  readonly silu: boolean;
  /** Whether dropout follows that; the gradient draws the same mask again. */
  readonly dropout?: (DropoutOptions & { readonly key: TensorRef }) | undefined;
}

/**
 * Whether dropout can be fused: its quads of elements must be vectors of channels, and the gradient needs
 * more storage bindings than the eight that WebGPU promises.
 */
export function canFuseDropout({ gpu }: Capture, x: TensorRef): boolean {
  return (x.shape.at(-1) ?? 0) % 4 === 0 && gpu.limits.maxStorageBuffersPerShaderStage >= 10;
}

/** What the backward pass needs besides the input. */
export interface GroupNormSaved {
  /** Means, `[N, groups]`. */
  readonly mean: TensorRef;
  /** `1 / sqrt(variance + eps)`, `[N, groups]`. */
  readonly rstd: TensorRef;
}

/** Pixels that are summed before they are merged into the running sums, which keeps round-off low. */
const CHUNKS = "const CHUNK = 32u;\n";

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
  const { dropout } = options;
  checkAffine(layout, weight, bias);
  const y = capture.transient(x.shape, "groupNorm");
  const mean = capture.transient([layout.images, layout.groups], "groupNorm mean");
  const rstd = capture.transient([layout.images, layout.groups], "groupNorm rstd");
  capture.dispatch({
    kernel: forwardKernel(layout, options.silu, dropout !== undefined),
    bindings: { x, weight, bias, y, mean, rstd, ...(dropout ? { key: dropout.key } : {}) },
    params: {
      ...groupParams(layout),
      eps: options.eps,
      ...(dropout ? dropoutParams(dropout.key, layout.images, dropout) : {}),
    },
    workgroups: flatGrid(layout.images * layout.slabs),
  });
  return { y, mean, rstd };
}

/** What {@linkcode groupNormBackward} computes. */
export interface GroupNormWanted {
  readonly x: boolean;
  /** Added to dx while that is at hand: the gradient of x from elsewhere, of its shape. */
  readonly plus?: TensorRef | undefined;
  /** Where the sums of dx over the pixels of each image are added, see {@linkcode canSumPixels}. */
  readonly sums?: PixelSums | undefined;
}

/** Columns of a matrix `[N, M]`, one a channel. */
export interface PixelSums {
  readonly matrix: TensorRef;
  /** The first column. */
  readonly start: number;
}

/**
 * Whether sums over pixels can be fused: each invocation must have one vector of channels, and there must
 * be more storage bindings than the eight that WebGPU promises.
 */
export function canSumPixels({ gpu }: Capture, x: TensorRef, groups: number): boolean {
  const { slab, lanes } = layOutGroups(gpu, x, groups);
  return slab <= lanes && gpu.limits.maxStorageBuffersPerShaderStage >= 10;
}

/**
 * Gradients of {@linkcode groupNormForward} from the upstream gradient `dy`.
 *
 * @param wanted Whether the gradient of x is wanted; else null stands for it.
 * @returns dx, and the gradients of weight and bias in parts.
 */
export function groupNormBackward(
  capture: Capture,
  { x, weight, bias, mean, rstd }:
    & { x: TensorRef; weight: TensorRef; bias: TensorRef }
    & GroupNormSaved,
  dy: TensorRef,
  options: GroupNormOptions,
  wanted: GroupNormWanted = { x: true },
): { dx: TensorRef | null; dweight: PartialSum; dbias: PartialSum } {
  const layout = layOutGroups(capture.gpu, x, options.groups);
  const parts = capture.transient([layout.images, 2, layout.channels], "groupNorm parts");
  const dx = wanted.x ? capture.transient(x.shape, "groupNorm dx") : null;
  const plus = dx && wanted.plus;
  const sums = dx && wanted.sums;
  const { dropout, silu } = options;
  const kernel = backwardKernel(layout, {
    silu,
    dropout: dropout !== undefined,
    dx: dx !== null,
    plus: Boolean(plus),
    sums: Boolean(sums),
  });
  capture.dispatch({
    kernel,
    bindings: {
      x,
      dy,
      weight,
      bias,
      mean,
      rstd,
      parts,
      ...(dx ? { dx } : {}),
      ...(plus ? { plus } : {}),
      ...(sums ? { sums: sums.matrix } : {}),
      ...(dropout ? { key: dropout.key } : {}),
    },
    params: {
      ...groupParams(layout),
      ...(sums ? { sumRow: sums.matrix.shape[1] ?? 0, sumStart: sums.start } : {}),
      ...(dropout ? dropoutParams(dropout.key, layout.images, dropout) : {}),
    },
    workgroups: flatGrid(layout.images * layout.slabs),
  });
  return { dx, ...affineSums(parts) };
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

function forwardKernel(layout: GroupNormLayout, silu: boolean, dropout: boolean): Kernel {
  const type = layout.width === 4 ? "vec4f" : "f32";
  return {
    name: `groupNorm${silu ? "Silu" : ""}${
      dropout ? "Dropout" : ""
    }.${type}.${layout.workgroup}.${layout.shared}`,
    bindings: {
      x: { type, access: "read" },
      weight: { type, access: "read" },
      bias: { type, access: "read" },
      y: { type, access: "write" },
      mean: { type: "f32", access: "write" },
      rstd: { type: "f32", access: "write" },
      ...(dropout ? { key: KEY_BINDING } : {}),
    },
    params: { ...GROUP_PARAMS, eps: "f32", ...(dropout ? DROPOUT_PARAMS : {}) },
    workgroupSize: [layout.workgroup, 1, 1],
    workgroupBytes: 8 * layout.shared,
    wgsl: `${groupText(layout)}${CHUNKS}${SIGMOID}${dropout ? KEPT : ""}
fn activate(z: V) -> V { return ${silu ? "z * sigmoid(z)" : "z"}; }
${MOMENTS}${GROUP_MAIN}${forwardText(dropout)}`,
  };
}

const KEY_BINDING: BindingSpec = { type: "vec4u", access: "read" };

/** WGSL: what dropout leaves of vector `i` of the tensor. */
function keptText(value: string, dropout: boolean): string {
  return dropout ? `kept(${value}, image, i - image * params.pixels * params.stride)` : value;
}

/** Moments of a lane and of a channel, before they are combined a group. */
const MOMENTS = `struct Moments { mean: V, squares: V }

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
`;

/** Statistics of the slab's groups, then the output. */
const forwardText = (dropout: boolean) => `
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
      y[i] = ${keptText("activate((x[i] - m) * scale + shift)", dropout)};
    }
  }
}`;

/** What the code of the gradient depends on. */
interface BackwardVariant {
  readonly silu: boolean;
  readonly dropout: boolean;
  readonly dx: boolean;
  readonly plus: boolean;
  readonly sums: boolean;
}

function backwardKernel(
  layout: GroupNormLayout,
  { silu, dropout, dx, plus, sums }: BackwardVariant,
): Kernel {
  const type = layout.width === 4 ? "vec4f" : "f32";
  const gather = (name: string) =>
    Array.from(
      { length: layout.width },
      (_, j) => `${name}[firstGroup + (channel + ${j}u) / params.groupChannels]`,
    ).join(", ");
  return {
    name: `groupNorm${silu ? "Silu" : ""}${
      dropout ? "Dropout" : ""
    }Backward.${type}.${layout.workgroup}.${layout.shared}${dx ? "" : ".affine"}${
      plus ? "+plus" : ""
    }${sums ? "+sums" : ""}`,
    bindings: {
      x: { type, access: "read" },
      dy: { type, access: "read" },
      weight: { type, access: "read" },
      bias: { type, access: "read" },
      mean: { type: "f32", access: "read" },
      rstd: { type: "f32", access: "read" },
      parts: { type: "f32", access: "write" },
      ...(dx ? { dx: { type, access: "write" } as const } : {}),
      ...(plus ? { plus: { type, access: "read" } as const } : {}),
      ...(sums ? { sums: { type: "f32", access: "read_write" } as const } : {}),
      ...(dropout ? { key: KEY_BINDING } : {}),
    },
    params: {
      ...GROUP_PARAMS,
      ...(sums ? { sumRow: "u32", sumStart: "u32" } as const : {}),
      ...(dropout ? DROPOUT_PARAMS : {}),
    },
    workgroupSize: [layout.workgroup, 1, 1],
    workgroupBytes: 8 * layout.shared,
    wgsl: `${groupText(layout)}${CHUNKS}${SIGMOID}${dropout ? KEPT : ""}
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
${GROUP_MAIN}${backwardSums(dropout)}${dx ? backwardDx(layout.width, { plus, dropout, sums }) : ""}
}`,
  };
}

/** Sums of dz xhat and dz over the pixels of each channel. */
const backwardSums = (dropout: boolean) => `
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
        let dz = dzOf(${keptText("dy[i]", dropout)}, xhat, w, b);
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
`;

/** Means over each group of weight dz xhat and weight dz, then dx. */
const backwardDx = (
  width: number,
  { plus, dropout, sums }: Pick<BackwardVariant, "plus" | "dropout" | "sums">,
) => `
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
  ${sums ? "var total = V(0.0);" : ""}
  for (var v = lane; v < params.slab && firstPixel < params.pixels; v += params.lanes) {
    let m = meanOf(firstGroup, v * W);
    let r = rstdOf(firstGroup, v * W);
    let w = weight[firstVector + v];
    let b = bias[firstVector + v];
    let meanDzX = loadA(v * W);
    let meanDz = loadB(v * W);
    for (var start = firstPixel; start < params.pixels; start += params.rows * CHUNK) {
      let end = min(start + params.rows * CHUNK, params.pixels);
      ${sums ? "var chunk = V(0.0);" : ""}
      for (var p = start; p < end; p += params.rows) {
        let i = origin + v + p * params.stride;
        let xhat = (x[i] - m) * r;
        let d = ${plus ? "plus[i] + " : ""}r * (w * dzOf(${
  keptText("dy[i]", dropout)
}, xhat, w, b) - (meanDz + xhat * meanDzX));
        dx[i] = d;
        ${sums ? "chunk += d;" : ""}
      }
      ${sums ? "total += chunk;" : ""}
    }
  }${sums ? PIXEL_SUMS : ""}`;

/** Adds up `total`, one of an invocation, over rows; after all have read the groups' means. */
const PIXEL_SUMS = `
  workgroupBarrier();
  if (lane < params.slab && firstPixel < params.pixels) {
    store(row * slabChannels + lane * W, total, total);
  }
  workgroupBarrier();
  for (var c = t; c < slabChannels; c += WX) {
    var sum = sharedA[c];
    for (var r = 1u; r < usedRows; r++) { sum += sharedA[r * slabChannels + c]; }
    sums[image * params.sumRow + params.sumStart + firstVector * W + c] += sum;
  }`;
