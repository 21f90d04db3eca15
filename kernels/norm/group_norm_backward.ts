/**
 * The WGSL of the gradient of group normalisation; what it computes is in group_norm.ts.
 *
 * @module
 */
import { full } from "../../device/element.ts";
import type { Kernel } from "../../device/kernel.ts";
import { DROPOUT_PARAMS, KEPT } from "../elementwise/dropout.ts";
import { SIGMOID } from "../elementwise/silu.ts";
import {
  activation,
  type Affine,
  affine,
  CHUNKS,
  formOf,
  type GroupNormVariant,
  keptText,
  KEY_BINDING,
  nameOf,
  outputText,
  type Reader,
  reader,
} from "./group_norm_kernels.ts";
import {
  FIRST_PIXEL,
  GROUP_MAIN,
  type GroupNormLayout,
  groupParamTypes,
  groupText,
  type PlaceInX,
  placeInX,
} from "./group_norm_layout.ts";

/** What the code of the gradient depends on. */
interface BackwardVariant extends GroupNormVariant {
  readonly dx: boolean;
  /** Tensors that are added to dx. */
  readonly plus: 0 | 1 | 2;
  /** Whether sums of dx over pixels are taken, and whether they are added to others. */
  readonly sums: "add" | "store" | undefined;
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
    }${["", "+plus", "+plus2"][plus]}${sums ? sums === "add" ? "+sums" : "+ownSums" : ""}${
      y ? "+y" : ""
    }${formOf(layout, variant)}`,
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
      ...(sums
        ? { sums: { type: full(1), access: sums === "add" ? "read_write" : "write" } as const }
        : {}),
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
      dx ? backwardDx(layout, variant, scales, place, read) : ""
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
    ${FIRST_PIXEL}
    for (var start = firstPixel; start < params.pixels; start += rows * CHUNK) {
      let end = min(start + rows * CHUNK, params.pixels);
      var chunkX = V(0.0);
      var chunk = V(0.0);
      for (var p = start; p < end; p += rows) {
        let xhat = (${read("x", place.at)} - m) * r;
        let dz = dzOf(${keptText(read("dy", "i"), dropout)}, xhat, w, b);
        chunkX += dz * xhat;
        chunk += dz;
        i += step;
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

/** How sums over pixels are written. */
const ASSIGN = { add: "+=", store: "=" } as const;

/** Means over each group of weight dz xhat and weight dz, then dx and y. */
const backwardDx = (
  { width, slab, lanes }: GroupNormLayout,
  { plus, dropout, sums, y, textured }: BackwardVariant,
  { weight, bias }: Affine,
  place: PlaceInX,
  read: Reader,
) => {
  // A slab that is wider than the workgroup is walked in turns, and has one row of invocations.
  const inTurns = slab > lanes;
  return `
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
  ${sums && !inTurns ? "var total = V(0.0);" : ""}
  for (var v = lane; v < params.slab && firstPixel < params.pixels; v += params.lanes) {
    let m = meanOf(firstGroup, v * W);
    let r = rstdOf(firstGroup, v * W);
    let w = ${weight("firstVector + v")};
    let b = ${bias("firstVector + v")};
    let meanDzX = loadA(v * W);
    let meanDz = loadB(v * W);
    ${place.prepare}
    ${y ? "let scale = r * w;\n    let shift = b;" : ""}
    ${sums && inTurns ? "var total = V(0.0);" : ""}
    ${FIRST_PIXEL}
    for (var start = firstPixel; start < params.pixels; start += rows * CHUNK) {
      let end = min(start + rows * CHUNK, params.pixels);
      ${sums ? "var chunk = V(0.0);" : ""}
      for (var p = start; p < end; p += rows) {
        let xhat = (${read("x", place.at)} - m) * r;
        let d = ${
    ["", `plus[${place.at}] + `, `plus[${place.at}] + plus2[${place.at}] + `][plus]
  }r * (w * dzOf(${keptText(read("dy", "i"), dropout)}, xhat, w, b) - (meanDz + xhat * meanDzX));
        dx[${place.at}] = d;
        ${y ? `${textured ? "again" : "dy"}[i] = ${outputText(dropout, place, read)};` : ""}
        ${sums ? "chunk += d;" : ""}
        i += step;
      }
      ${sums ? "total += chunk;" : ""}
    }
    ${sums && inTurns ? sumsOfTurn(width, ASSIGN[sums]) : ""}
  }${sums && !inTurns ? pixelSums(ASSIGN[sums]) : ""}`;
};

/** Writes down the sums of dx of one vector, whose pixels are all one invocation's. */
const sumsOfTurn = (width: number, assign: string) =>
  `let to = image * params.sumRow + params.sumStart + (firstVector + v) * W;
${
    Array.from(
      { length: width },
      (_, j) => `    sums[to + ${j}u] ${assign} total${width === 4 ? `[${j}]` : ""};`,
    ).join("\n")
  }`;

/** Adds up `total`, one of an invocation, over rows; after all have read the groups' means. */
const pixelSums = (assign: string) => `
  workgroupBarrier();
  if (lane < params.slab && firstPixel < params.pixels) {
    store(row * slabChannels + lane * W, total, total);
  }
  workgroupBarrier();
  for (var c = t; c < slabChannels; c += WX) {
    var sum = sharedA[c];
    for (var r = 1u; r < usedRows; r++) { sum += sharedA[r * slabChannels + c]; }
    sums[image * params.sumRow + params.sumStart + firstVector * W + c] ${assign} sum;
  }`;
