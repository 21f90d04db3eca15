/**
 * The WGSL of group normalisation over a cut of group_norm_layout.ts, and what its gradient's has in
 * common; what it computes is in group_norm.ts.
 *
 * @module
 */
import { elementOf, full, type VectorType } from "../../device/element.ts";
import type { BindingSpec, Kernel } from "../../device/kernel.ts";
import { DROPOUT_PARAMS, KEPT } from "../elementwise/dropout.ts";
import {
  FIRST_PIXEL,
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
export const CHUNKS = "const CHUNK = 32u;\n";

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
export function affine(each: boolean, type: VectorType): Affine {
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

export interface Affine {
  readonly bindings: Readonly<Record<string, BindingSpec>>;
  readonly weight: (at: string) => string;
  readonly bias: (at: string) => string;
}

export const nameOf = ({ silu, dropout, each }: GroupNormVariant) =>
  `groupNorm${each ? "Each" : ""}${silu ? "Silu" : ""}${dropout ? "Dropout" : ""}`;

/** What ends a kernel's name. */
export const formOf = ({ seam }: GroupNormLayout, { textured }: GroupNormVariant) =>
  `${seam === undefined ? "" : ".joined"}${textured ? ".texture" : ""}`;

/** WGSL: an element of x or dy. */
export type Reader = (name: "x" | "dy", at: string) => string;

export const reader = (textured: boolean): Reader => (name, at) =>
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

export const KEY_BINDING: BindingSpec = { type: elementOf("u32", 4), access: "read" };

/** WGSL: what follows the normalisation, except dropout. */
export function activation(silu: boolean): string {
  return `fn activate(z: V) -> V { return ${silu ? "z / (1.0 + expOf(-z))" : "z"}; }\n`;
}

/** WGSL: an element of the output, in the forward pass and where the gradient makes it again. */
export function outputText(dropout: boolean, { at }: PlaceInX, read: Reader): string {
  return keptText(`activate((${read("x", at)} - m) * scale + shift)`, dropout);
}

/** WGSL: what dropout leaves of vector `i` of the tensor. */
export function keptText(value: string, dropout: boolean): string {
  return dropout ? `kept(${value}, sample, i - imageStart)` : value;
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
    ${FIRST_PIXEL}
    for (var p = firstPixel; p < params.pixels; p += rows) {
      y[i] = ${outputText(dropout, place, read)};
      i += step;
    }
  }
}`;
