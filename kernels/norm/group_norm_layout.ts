/**
 * How group normalisation is cut into workgroups: a workgroup takes one image and a slab of
 * neighbouring channels that holds whole groups, so that its statistics need no other workgroup.
 * Its invocations form `rows` x `lanes`: lanes lie along the slab (one vector of channels each),
 * rows share out the pixels.
 *
 * @module
 */
import { isCpu } from "../../device/cpu_lanes.ts";
import { full } from "../../device/element.ts";
import type { Gpu } from "../../device/gpu.ts";
import { formatShape, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX } from "../shared/grid.ts";
import { bitsAlias } from "../shared/pointwise.ts";

/** Cuts for a kind of device. */
interface Tuning {
  readonly workgroup: number;
  /** Widest slab that is wanted, in vectors of 16 bytes. */
  readonly slab: number;
  /** Widest slab that is taken where narrower ones leave invocations idle. */
  readonly most: number;
  /** Workgroups below which slabs are made narrower. */
  readonly enough: number;
}

/**
 * A CPU driver runs a subgroup as one vector of a core and pays for barriers between subgroups. A slab as
 * wide as the subgroup needs no sums over rows, and takes a longer piece of each pixel: with vectors of 8
 * floats the gradient is 1.2 to 1.5 times as fast as with slabs of one cache line, with 16 floats twice. A
 * GPU reads 128 bytes together.
 */
const CPU_TUNING = { slab: 8, most: 96, enough: 4 };
const WIDE_CPU_TUNING = { slab: 16, most: 96, enough: 4 };
const GPU_TUNING: Tuning = { workgroup: 256, slab: 8, most: 8, enough: 128 };

/** Most f32 of one array of workgroup memory; two such arrays are WebGPU's guaranteed 16 KiB. */
const MOST_SHARED = 2048;

/** The cut of one shape for one device. */
export interface GroupNormLayout {
  readonly images: number;
  readonly pixels: number;
  readonly channels: number;
  readonly groups: number;
  /** Channels of the first of two tensors that x is joined of; see `TensorRef.seam`. */
  readonly seam: number | undefined;
  /** Channels of a vector: 4, or 1 where channels, or those before the seam, are not a multiple of 4. */
  readonly width: 1 | 4;
  /** Vectors of a slab. */
  readonly slab: number;
  /** Slabs of an image. */
  readonly slabs: number;
  /** Invocations along a slab; a slab with more vectors is walked in several turns. */
  readonly lanes: number;
  /** Invocations that share a lane's pixels. */
  readonly rows: number;
  readonly workgroup: number;
  /** f32 of each array of workgroup memory. */
  readonly shared: number;
}

/**
 * Checks shapes and cuts them.
 *
 * @param x `[N, H, W, C]`, or any shape that begins with N and ends with C.
 * @throws {RangeError} When the groups do not divide the channels, or one group has more channels
 *   than fit into workgroup memory.
 */
export function layOutGroups(gpu: Gpu, x: TensorRef, groups: number): GroupNormLayout {
  const images = x.shape[0] ?? 0;
  const channels = x.shape.at(-1) ?? 0;
  if (x.shape.length < 2 || !Number.isInteger(groups) || groups < 1 || channels % groups !== 0) {
    throw new RangeError(
      `Cannot normalise groups of ${
        formatShape(x.shape)
      }: groups must divide its last axis, got ${groups}`,
    );
  }
  const pixels = x.shape.slice(1, -1).reduce((product, n) => product * n, 1);
  const { seam } = x;
  const width = channels % 4 === 0 && (seam ?? 0) % 4 === 0 ? 4 : 1;
  const tuning = isCpu(gpu)
    ? { ...gpu.subgroupSize > 8 ? WIDE_CPU_TUNING : CPU_TUNING, workgroup: gpu.subgroupSize }
    : GPU_TUNING;
  const { workgroup } = tuning;
  const slab = chooseSlab(images, channels, groups, width, tuning);
  if (slab * width > MOST_SHARED) {
    throw new RangeError(
      `Cannot normalise groups of ${
        formatShape(x.shape)
      }: a group must have at most ${MOST_SHARED} channels, got ${
        channels / groups
      }. Use more groups`,
    );
  }
  const lanes = Math.min(slab, workgroup);
  const shared = slab <= workgroup ? workgroup * width : MOST_SHARED;
  return {
    images,
    pixels,
    channels,
    groups,
    seam,
    width,
    slab,
    slabs: channels / width / slab,
    lanes,
    rows: Math.floor(workgroup / lanes),
    workgroup,
    shared,
  };
}

/**
 * Vectors of a slab that holds whole groups, divides the channels and leaves enough workgroups: the most
 * up to the tuning's width, or the fewest beyond it that keep more invocations busy; the fewest possible
 * where nothing does.
 */
function chooseSlab(
  images: number,
  channels: number,
  groups: number,
  width: number,
  tuning: Tuning,
): number {
  const perGroup = channels / groups;
  let least = perGroup;
  while (least % width !== 0) least += perGroup;
  const units = channels / least, vectors = least / width;
  let best = vectors;
  for (let n = 2; n * least <= tuning.most * width; n++) {
    if (units % n !== 0 || images * units / n < tuning.enough) continue;
    const slab = n * vectors;
    if (n * least <= tuning.slab * width || busy(slab, tuning) > busy(best, tuning)) best = slab;
  }
  return best;
}

/** Share of a workgroup's invocations that have pixels, over all turns. */
function busy(slab: number, { workgroup }: Tuning): number {
  if (slab <= workgroup) return Math.floor(workgroup / slab) * slab / workgroup;
  return slab / (Math.ceil(slab / workgroup) * workgroup);
}

/** Uniform parameters of all kernels over a cut; `stride` is the vectors of a pixel. */
const GROUP_PARAMS = {
  pixels: "u32",
  stride: "u32",
  slab: "u32",
  slabs: "u32",
  lanes: "u32",
  rows: "u32",
  groupChannels: "u32",
  items: "u32",
} as const;

/** More of them where x is joined, in vectors: of a pixel in the first tensor, and of all of that. */
const SEAM_PARAMS = { seam: "u32", second: "u32" } as const;

/** Types of the parameters of kernels over a cut. */
export function groupParamTypes({ seam }: GroupNormLayout) {
  return { ...GROUP_PARAMS, ...(seam === undefined ? {} : SEAM_PARAMS) };
}

/** Their values. */
export function groupParams(layout: GroupNormLayout) {
  const seam = (layout.seam ?? 0) / layout.width;
  return {
    ...(seam > 0 ? { seam, second: layout.images * layout.pixels * seam } : {}),
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

/** WGSL of a cut: vectors `V` of `W` channels, and moves to and from workgroup memory. */
export function groupText({ width, shared }: GroupNormLayout): string {
  const type = full(width);
  const component = (j: number) => width === 4 ? `[${j}]` : "";
  const each = (line: (j: number) => string) =>
    Array.from({ length: width }, (_, j) => line(j)).join("\n");
  return `alias V = ${type};
${bitsAlias(width)}const W = ${width}u;
${FLAT_INDEX}
// [row][channel of the slab]; after combining, a group's result is at its first channel of row 0.
var<workgroup> sharedA: array<f32, ${shared}>;
var<workgroup> sharedB: array<f32, ${shared}>;

// The parameters of these names, from an expression over more than parameters: Mesa 22.3's CPU driver
// compiles a pipeline anew at each dispatch, with its parameters as constants, where conditions over
// parameters alone promise it much (0.1 to 0.3 s each).
var<private> rows: u32;
var<private> groupChannels: u32;

fn store(at: u32, a: V, b: V) {
${each((j) => `  sharedA[at + ${j}u] = a${component(j)}; sharedB[at + ${j}u] = b${component(j)};`)}
}

// First channel, in the slab, of the group of each channel of a vector.
fn groupStart(channel: u32) -> u32 { return channel - channel % groupChannels; }
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

/** What a kernel has of x, its gradient, and what is added to that. */
export interface PlaceInX {
  /** WGSL ahead of the pixels of vector `v` of the slab. */
  readonly prepare: string;
  /** WGSL: the element of the first pixel, and how many vectors the next is further on. */
  readonly first: string;
  readonly step: string;
  /** WGSL: the element at pixel `p`, where `i` is that of y. */
  readonly at: string;
}

/** Where the vectors of x are. */
export function placeInX({ seam }: GroupNormLayout): PlaceInX {
  const first = "origin + v", step = "params.stride";
  if (seam === undefined) return { prepare: "", first, step, at: "i" };
  return {
    prepare: `let inFirst = firstVector + v < params.seam;
    let xStep = select(params.stride - params.seam, params.seam, inFirst);
    let xStart = image * params.pixels * xStep + firstVector + v
      + select(params.second - params.seam, 0u, inFirst);`,
    first: "xStart",
    step: "xStep",
    at: "xStart + p * xStep",
  };
}

/**
 * WGSL ahead of a loop over the pixels of vector `v`: `i`, which the loop moves on by `step`, `sample` and
 * `imageStart`. LLVM makes what is computed before a barrier and used behind it again where it is used,
 * so a product or quotient of such values costs its time at every pixel; hence names of their own here.
 */
export const FIRST_PIXEL = `let sample = min(image, params.items);
    let imageStart = sample * params.pixels * params.stride;
    let step = rows * params.stride;
    var i = origin + v + firstPixel * params.stride;`;

/** Opening of `main`: where an invocation works. */
export const GROUP_MAIN = `
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(workgroup_id) id: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) t: u32) {
  rows = max(params.rows, min(grid.x, 1u));
  groupChannels = max(params.groupChannels, min(grid.x, 1u));
  let item = flatWorkgroup(id, grid);
  if (item >= params.items) { return; }
  let image = item / params.slabs;
  let firstVector = (item % params.slabs) * params.slab;
  let origin = image * params.pixels * params.stride + firstVector;
  let row = t / params.lanes;
  let lane = t % params.lanes;
  let slabChannels = params.slab * W;
  let firstGroup = image * (params.stride * W / groupChannels)
    + firstVector * W / groupChannels;
  // Invocations beyond the last whole row have no pixels.
  let firstPixel = select(params.pixels, row, row < rows);
`;
