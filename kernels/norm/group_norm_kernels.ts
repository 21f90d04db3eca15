/**
 * The WGSL of group normalisation over a cut of group_norm_layout.ts; what it computes is in
 * group_norm.ts.
 *
 * @module
 */
import { elementOf, full, type VectorType } from "../../device/element.ts";
import type { BindingSpec, Kernel } from "../../device/kernel.ts";
import { DROPOUT_PARAMS, KEPT } from "../elementwise/dropout.ts";
import {
  GROUP_MAIN,
  type GroupNormLayout,
  groupParamTypes,
  groupText,
  type PlaceInX,
  placeInX,
} from "./group_norm_layout.ts";
import { SIGMOID } from "../elementwise/silu.ts";
import { operandAt } from "../shared/gemm.ts";

/** Pixels that are summed before they are merged into the running sums, which keeps round-off low. */
const CHUNKS = "const CHUNK = 32u;\n";

/** What both kernels depend on besides the cut. */
export interface GroupNormVariant {
  readonly silu: boolean;
  readonly dropout: boolean;
  /** Whether what is read twice is read from textures. */
  readonly textured: boolean;
  /** Whether each image has weights and biases of its own, in one tensor `[N, 2, C]`. */
  readonly each: boolean;
}

/** What the normalised values are scaled and shifted by: the bindings, and the WGSL of one vector. */
function affine(each: boolean, type: VectorType): Affine {
  const read: BindingSpec = { type, access: "read" };
  return each
    ? {
      bindings: { weight: read },
      weight: (at: string) => `weight[2u * image * params.stride + ${at}]`,
      bias: (at: string) => `weight[(2u * image + 1u) * params.stride + ${at}]`,
    }
    : {
      bindings: { weight: read, bias: read },
      weight: (at: string) => `weight[${at}]`,
      bias: (at: string) => `bias[${at}]`,
    };
}

interface Affine {
  readonly bindings: Readonly<Record<string, BindingSpec>>;
  readonly weight: (at: string) => string;
  readonly bias: (at: string) => string;
}

const nameOf = ({ silu, dropout, each }: GroupNormVariant) =>
  `groupNorm${each ? "Each" : ""}${silu ? "Silu" : ""}${dropout ? "Dropout" : ""}`;

/** What ends a kernel's name. */
const formOf = ({ seam }: GroupNormLayout, { textured }: GroupNormVariant) =>
  `${seam === undefined ? "" : ".joined"}${textured ? ".texture" : ""}`;

/** WGSL: an element of x or dy. */
type Reader = (name: "x" | "dy", at: string) => string;

const reader = (textured: boolean): Reader => (name, at) =>
  operandAt(name, at, textured ? "texture" : "buffer");

/** The forward pass. */
export function forwardKernel(layout: GroupNormLayout, variant: GroupNormVariant): Kernel {
  const { silu, dropout, each, textured } = variant;
  const read = reader(textured);
  const type = full(layout.width);
  const scales = affine(each, type);
  return {
    name: `${nameOf(variant)}.${type}.${layout.workgroup}.${layout.shared}${
      formOf(layout, variant)
    }`,
    bindings: {
      x: { type, access: "read", joined: layout.seam !== undefined, textured },
      ...scales.bindings,
      y: { type, access: "write" },
      mean: { type: full(1), access: "write" },
      rstd: { type: full(1), access: "write" },
      ...(dropout ? { key: KEY_BINDING } : {}),
    },
    params: { ...groupParamTypes(layout), eps: "f32", ...(dropout ? DROPOUT_PARAMS : {}) },
    workgroupSize: [layout.workgroup, 1, 1],
    workgroupBytes: 8 * layout.shared,
    wgsl: `${groupText(layout)}${CHUNKS}${SIGMOID}${dropout ? KEPT : ""}
${activation(silu)}${moments(read)}${GROUP_MAIN}${
      forwardText(dropout, scales, placeInX(layout), read)
    }`,
  };
}

const KEY_BINDING: BindingSpec = { type: elementOf("u32", 4), access: "read" };

/** WGSL: what follows the normalisation, except dropout. */
function activation(silu: boolean): string {
  return `fn activate(z: V) -> V { return ${silu ? "z / (1.0 + expOf(-z))" : "z"}; }\n`;
}

/** WGSL: an element of the output, in the forward pass and where the gradient makes it again. */
function outputText(dropout: boolean, { at }: PlaceInX, read: Reader): string {
  return keptText(`activate((${read("x", at)} - m) * scale + shift)`, dropout);
}

/** WGSL: what dropout leaves of vector `i` of the tensor. */
function keptText(value: string, dropout: boolean): string {
  return dropout ? `kept(${value}, image, i - image * params.pixels * params.stride)` : value;
}

/** Moments of a lane and of a channel, before they are combined a group. */
const moments = (read: Reader) =>
  `struct Moments { mean: V, squares: V }

// Mean and sum of squared deviations of a lane's pixels (Chan, Golub and LeVeque 1983): each chunk
// is summed relative to the mean so far, so nothing cancels however far the data are from zero.
fn momentsOf(at: u32, step: u32, first: u32) -> Moments {
  var mean = ${read("x", "at + first * step")};
  var squares = V(0.0);
  var seen = 0.0;
  for (var start = first; start < params.pixels; start += rows * CHUNK) {
    let end = min(start + rows * CHUNK, params.pixels);
    var sum = V(0.0);
    var sumOfSquares = V(0.0);
    var count = 0.0;
    for (var p = start; p < end; p += rows) {
      let d = ${read("x", "at + p * step")} - mean;
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
  for (var r = 0u; r < rows; r++) {
    mean += pixelsOfRow(r) * sharedA[r * slabChannels + channel];
  }
  mean /= f32(params.pixels);
  var squares = 0.0;
  for (var r = 0u; r < rows; r++) {
    let d = sharedA[r * slabChannels + channel] - mean;
    squares += sharedB[r * slabChannels + channel] + pixelsOfRow(r) * d * d;
  }
  sharedA[channel] = mean;
  sharedB[channel] = squares;
}

fn pixelsOfRow(row: u32) -> f32 {
  if (row >= params.pixels) { return 0.0; }
  return f32((params.pixels - row - 1u) / rows + 1u);
}
`;

/** Statistics of the slab's groups, then the output. */
const forwardText = (
  dropout: boolean,
  { weight, bias }: Affine,
  place: PlaceInX,
  read: Reader,
) => `
  for (var v = lane; v < params.slab && firstPixel < params.pixels; v += params.lanes) {
    ${place.prepare}
    let moments = momentsOf(${place.first}, ${place.step}, firstPixel);
    store(row * slabChannels + v * W, moments.mean, moments.squares);
  }
  workgroupBarrier();
  // The next barrier stands outside: for Tint a private variable may differ from invocation to invocation.
  if (rows > 1u) {
    for (var c = t; c < slabChannels; c += WX) { combineRows(c, slabChannels); }
  }
  workgroupBarrier();
  for (var g = t; g * groupChannels < slabChannels; g += WX) {
    let start = g * groupChannels;
    var groupMean = 0.0;
    for (var c = 0u; c < groupChannels; c++) { groupMean += sharedA[start + c]; }
    groupMean /= f32(groupChannels);
    var squares = 0.0;
    for (var c = 0u; c < groupChannels; c++) {
      let d = sharedA[start + c] - groupMean;
      squares += sharedB[start + c] + f32(params.pixels) * d * d;
    }
    let variance = squares / (f32(params.pixels) * f32(groupChannels));
    let groupRstd = 1.0 / sqrt(variance + params.eps);
    sharedA[start] = groupMean;
    sharedB[start] = groupRstd;
    mean[firstGroup + g] = groupMean;
    rstd[firstGroup + g] = groupRstd;
  }
  workgroupBarrier();
  for (var v = lane; v < params.slab && firstPixel < params.pixels; v += params.lanes) {
    let m = loadA(v * W);
    let scale = loadB(v * W) * ${weight("firstVector + v")};
    let shift = ${bias("firstVector + v")};
    ${place.prepare}
    for (var p = firstPixel; p < params.pixels; p += rows) {
      let i = origin + v + p * params.stride;
      y[i] = ${outputText(dropout, place, read)};
    }
  }
}`;

/** What the code of the gradient depends on. */
interface BackwardVariant extends GroupNormVariant {
  readonly dx: boolean;
  /** Tensors that are added to dx. */
  readonly plus: 0 | 1 | 2;
  readonly sums: boolean;
  /** Whether y takes the place of dy; only with `dx`. */
  readonly y: boolean;
}

/** The gradient. */
export function backwardKernel(
  layout: GroupNormLayout,
  variant: BackwardVariant,
): Kernel {
  const { silu, dropout, each, dx, plus, sums, y, textured } = variant;
  const read = reader(textured);
  const type = full(layout.width);
  const scales = affine(each, type);
  const joined = layout.seam !== undefined;
  const place = placeInX(layout);
  const gather = (name: string) =>
    Array.from(
      { length: layout.width },
      (_, j) => `${name}[firstGroup + (channel + ${j}u) / groupChannels]`,
    ).join(", ");
  return {
    name: `${nameOf(variant)}Backward.${type}.${layout.workgroup}.${layout.shared}${
      dx ? "" : ".affine"
    }${["", "+plus", "+plus2"][plus]}${sums ? "+sums" : ""}${y ? "+y" : ""}${
      formOf(layout, variant)
    }`,
    bindings: {
      x: { type, access: "read", joined, textured },
      dy: { type, access: y && !textured ? "read_write" : "read", textured },
      ...(y && textured ? { again: { type, access: "write" } as const } : {}),
      ...scales.bindings,
      mean: { type: full(1), access: "read" },
      rstd: { type: full(1), access: "read" },
      parts: { type: full(1), access: "write" },
      ...(dx ? { dx: { type, access: "write", joined } as const } : {}),
      ...(plus > 0 ? { plus: { type, access: "read", joined } as const } : {}),
      ...(plus > 1 ? { plus2: { type, access: "read", joined } as const } : {}),
      ...(sums ? { sums: { type: full(1), access: "read_write" } as const } : {}),
      ...(dropout ? { key: KEY_BINDING } : {}),
    },
    params: {
      ...groupParamTypes(layout),
      ...(sums ? { sumRow: "u32", sumStart: "u32" } as const : {}),
      ...(dropout ? DROPOUT_PARAMS : {}),
    },
    workgroupSize: [layout.workgroup, 1, 1],
    workgroupBytes: 8 * layout.shared,
    wgsl: `${groupText(layout)}${CHUNKS}${SIGMOID}${dropout ? KEPT : ""}${y ? activation(silu) : ""}
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
${GROUP_MAIN}${backwardSums(dropout, scales, place, read)}${
      dx ? backwardDx(layout.width, variant, scales, place, read) : ""
    }
}`,
  };
}

/** Sums of dz xhat and dz over the pixels of each channel. */
const backwardSums = (
  dropout: boolean,
  { weight, bias }: Affine,
  place: PlaceInX,
  read: Reader,
) => `
  for (var v = lane; v < params.slab && firstPixel < params.pixels; v += params.lanes) {
    let m = meanOf(firstGroup, v * W);
    let r = rstdOf(firstGroup, v * W);
    let w = ${weight("firstVector + v")};
    let b = ${bias("firstVector + v")};
    ${place.prepare}
    var sumX = V(0.0);
    var sum = V(0.0);
    for (var start = firstPixel; start < params.pixels; start += rows * CHUNK) {
      let end = min(start + rows * CHUNK, params.pixels);
      var chunkX = V(0.0);
      var chunk = V(0.0);
      for (var p = start; p < end; p += rows) {
        let i = origin + v + p * params.stride;
        let xhat = (${read("x", place.at)} - m) * r;
        let dz = dzOf(${keptText(read("dy", "i"), dropout)}, xhat, w, b);
        chunkX += dz * xhat;
        chunk += dz;
      }
      sumX += chunkX;
      sum += chunk;
    }
    store(row * slabChannels + v * W, sumX, sum);
  }
  workgroupBarrier();
  let usedRows = min(rows, params.pixels);
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

/** Means over each group of weight dz xhat and weight dz, then dx and y. */
const backwardDx = (
  width: number,
  { plus, dropout, sums, y, textured }: BackwardVariant,
  { weight, bias }: Affine,
  place: PlaceInX,
  read: Reader,
) => `
  workgroupBarrier();
  let size = f32(params.pixels) * f32(groupChannels);
  for (var g = t; g * groupChannels < slabChannels; g += WX) {
    let start = g * groupChannels;
    var sumX = 0.0;
    var sum = 0.0;
    for (var c = start; c < start + groupChannels; c++) {
      let w = ${weight("firstVector + c / W")}${width === 4 ? "[c % W]" : ""};
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
    let w = ${weight("firstVector + v")};
    let b = ${bias("firstVector + v")};
    let meanDzX = loadA(v * W);
    let meanDz = loadB(v * W);
    ${place.prepare}
    ${y ? "let scale = r * w;\n    let shift = b;" : ""}
    for (var start = firstPixel; start < params.pixels; start += rows * CHUNK) {
      let end = min(start + rows * CHUNK, params.pixels);
      ${sums ? "var chunk = V(0.0);" : ""}
      for (var p = start; p < end; p += rows) {
        let i = origin + v + p * params.stride;
        let xhat = (${read("x", place.at)} - m) * r;
        let d = ${
  ["", `plus[${place.at}] + `, `plus[${place.at}] + plus2[${place.at}] + `][plus]
}r * (w * dzOf(${keptText(read("dy", "i"), dropout)}, xhat, w, b) - (meanDz + xhat * meanDzX));
        dx[${place.at}] = d;
        ${y ? `${textured ? "again" : "dy"}[i] = ${outputText(dropout, place, read)};` : ""}
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
