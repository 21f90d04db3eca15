/**
 * The convolution of gather.ts through workgroup memory (see ../gemm_tiled.ts), for any sizes. k runs over
 * taps and channels. Where the channels make whole slices, a slice has one tap: all invocations go on to
 * the next together, and only then look for their pixels. Otherwise each tap's channels are padded to a
 * multiple of four, so that a vec4 of k never straddles two taps, and invocations count taps and channels
 * up from slice to slice, as division is slow.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { Kernel } from "../../device/kernel.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { BLOCK_TERMS } from "../shared/gemm.ts";
import {
  quadFunction,
  REST,
  storeTile,
  tiledKernel,
  type TiledOperand,
  type TiledProduct,
} from "../shared/gemm_tiled.ts";
import type { Variant } from "../shared/variants.ts";
import {
  familyOf,
  perLoad,
  type RankedTile,
  rankTiles,
  splitParts,
  tileGrid,
  tileName,
  type WorkgroupTile,
} from "../shared/workgroup_tiles.ts";
import {
  bind,
  columnStrides,
  epilogueTerms,
  type GatherProduct,
  gatherSizes,
  kernelBindings,
  names,
  paramTypes,
  paramValues,
  sourceFunction,
  tapsOf,
  walksOf,
} from "./gather_source.ts";
import { bindParts, sumParts } from "./gather_parts.ts";
import { tapText, type TiledGather } from "./gather_taps.ts";
import { JOINED_AT, pixelText } from "./shape.ts";

/**
 * k below which a result takes longer to store than to make. Single channels are loaded by code that takes more
 * registers than that of vectors, so that narrow tiles, which have fewer sums, keep more of a card at work.
 */
const SHORT_K = 64;

/** Vec4 of sums of an invocation that count as few. */
const FEW_SUMS = 8;

/** The ways of computing a convolution by these tiles, best guess first. */
export function tiledVariants(product: GatherProduct, tiles: readonly RankedTile[]): Variant[] {
  const { rows, columns, depth } = gatherSizes(product.mode, product.shape);
  const k = walksOf(product) * product.shape.kh * product.shape.kw * depth;
  const wanted = splitParts(rows, columns, k);
  const ranked = rankTiles(tiles, rows, columns, wanted);
  const isNarrow = ({ rows, vectors, units }: WorkgroupTile) =>
    units !== undefined || rows * vectors <= FEW_SUMS;
  const ordered = depth % 4 !== 0 && k < SHORT_K
    ? [...ranked.filter(isNarrow), ...ranked.filter((tile) => !isNarrow(tile))]
    : ranked;
  return ordered.map((tile) => {
    const whole = hasWholeTaps(product, tile) && k / wanted % tile.depth === 0;
    const parts = whole ? wanted : 1;
    return {
      family: familyOf(tile),
      name: `${tileName(tile)}${parts > 1 ? `.split${parts}` : ""}`,
      record: (capture) => recordTiled(capture, product, tile, parts),
    };
  });
}

/** Whether all vectors are wide and the summed channels make whole slices. */
function hasWholeTaps(product: GatherProduct, tile: WorkgroupTile): boolean {
  const { depth } = gatherSizes(product.mode, product.shape);
  return columnStrides(product).every((n) => n % 4 === 0) && depth % tile.depth === 0;
}

function recordTiled(
  capture: Capture,
  product: GatherProduct,
  tile: WorkgroupTile,
  parts: number,
): TensorRef {
  const { mode, shape, blocked } = product;
  const { rows, columns, depth } = gatherSizes(mode, shape);
  const wideColumns = columnStrides(product).every((n) => n % 4 === 0);
  // The parts' sum adds what the product would have.
  const added = parts > 1 ? [] : product.added;
  const { out, shared } = parts > 1 ? bindParts(capture, product, parts) : bind(capture, product);
  capture.dispatch({
    kernel: gatherKernel({
      mode,
      tile,
      added,
      blocked,
      joined: joinedImages(product, parts),
      doubled: shape.doubled === true,
      layered: product.layerStep !== undefined,
      stride: shape.stride,
      wideDepth: depth % 4 === 0,
      wideColumns,
      wholeTaps: hasWholeTaps(product, tile),
      split: parts > 1,
    }),
    ...shared,
    params: {
      ...paramValues(parts > 1 ? { ...product, epilogue: {} } : product, wideColumns ? 4 : 1),
      ...(parts > 1 ? { partDepth: walksOf(product) * shape.kh * shape.kw * depth / parts } : {}),
    },
    workgroups: tileGrid(tile, rows, columns, parts),
  });
  return parts > 1 ? sumParts(capture, product, out) : out;
}

/** The parts of a split product are whole; their sum is joined. */
function joinedImages({ mode, shape }: GatherProduct, parts: number): TiledGather["joined"] {
  if (shape.seam === undefined) return undefined;
  if (mode === "forward") return "source";
  return parts > 1 ? undefined : "result";
}

function gatherKernel(variant: TiledGather): Kernel {
  const { mode, tile, added, blocked, joined, doubled, stride, wideDepth, wideColumns } = variant;
  const { wholeTaps, split, layered } = variant;
  const flags = `${wideDepth ? "" : "d"}${wideColumns ? "" : "c"}`;
  const size = names(mode);
  const weightIsWide = mode === "forward" ? wideColumns : wideDepth;
  return tiledKernel({
    tile,
    name: `conv2d.${mode}.${tileName(tile)}${stride === 1 ? "" : `.stride${stride}`}${
      flags && `.scalar-${flags}`
    }${wholeTaps ? "" : ".tail"}${split ? ".split" : ""}${
      added.map((name) => `+${name}`).join("")
    }${blocked ? ".blocked" : ""}${joined ? ".joined" : ""}${doubled ? ".doubled" : ""}${
      layered ? ".layers" : ""
    }`,
    bindings: kernelBindings(mode, added, {
      depth: wideDepth ? 4 : 1,
      columns: wideColumns ? 4 : 1,
    }, joined !== undefined),
    params: {
      ...paramTypes(added, { joined: joined !== undefined, layered }),
      ...(split ? { partDepth: "u32" } as const : {}),
    },
    functions: REST + sourceFunction(mode, stride) + (joined ? JOINED_AT : "") +
      (wideDepth ? "" : quadFunction("quadA", "source", false)) +
      (weightIsWide ? "" : quadFunction("quadB", "weight", false)),
    store: storeGathered(variant, size),
    blockEnds: blocked ? `next % ${BLOCK_TERMS}u == 0u` : undefined,
    ...(wholeTaps ? tapByTap(variant, size) : slicesAcrossTaps(variant, size)),
  });
}

type Sizes = ReturnType<typeof names>;
type Loads = Pick<TiledProduct, "a" | "b" | "setup" | "advance">;

/** WGSL: the pixel of the result that each load of A belongs to, and the first row of its image. */
function pixelsOfLoads(tile: WorkgroupTile, size: Sizes): string {
  return `let pixels = params.n * params.${size.height} * params.${size.width};
  ${
    perLoad(tile, "a", (n) =>
      `let p${n} = min(row + aLine${n}, pixels - 1u);
  let px${n} = p${n} % params.${size.width};
  let line${n} = p${n} / params.${size.width};
  let py${n} = line${n} % params.${size.height};
  let pn${n} = line${n} / params.${size.height} * params.${size.sh};`)
  }`;
}

/**
 * Slices of one tap each. Places count in vectors: a load's place is that of its pixel under the first
 * tap, `from`, and what the tap and the slice add, which is the same for all invocations.
 */
function tapByTap(variant: TiledGather, size: Sizes): Loads {
  const { mode, tile, split, joined, doubled, layered } = variant;
  const forward = mode === "forward", halved = doubled && !forward, taps = tapsOf(halved);
  const slice = tile.depth / 4;
  const { linear, first, aim } = tapText(variant, size);
  return {
    a: {
      along: "k",
      load: (n) =>
        joined === "source"
          ? `source[joinedAt(p${n}, 4u * at + aK) / 4u]`
          : `source[from${n} + ${linear ? "tapAt + at" : "at"}]`,
      valid: (n) => `inside${n}`,
    },
    b: {
      along: forward ? "lines" : "k",
      load: (n) => `weight[weight${n} + weightAt${forward ? "" : " + at"}]`,
    },
    setup: `let depth = params.${size.depth} / 4u;
  let all = params.${size.columns};
  let end = ${split ? "params.partDepth" : `${taps.rows} * ${taps.columns} * params.${size.depth}`};
  ${pixelsOfLoads(tile, size)}
  ${perLoad(tile, "a", (n) => `var inside${n} = false; ${first(n)}`)}
  ${
      perLoad(tile, "b", (n) =>
        forward
          ? `let weight${n} = (bK${n} * all + min(column + bLine, all - 4u)) / 4u;`
          : `let weight${n} = min(column + bLine${n}, all - 1u) * depth + bK / 4u;`)
    }
  let weightStep = ${
      layered ? "params.layerStep / 4u" : forward ? `${slice}u * all` : "all * depth"
    };
  ${
      split
        ? `let begin = group.z * params.partDepth / 4u;
  let tap = begin / depth;
  var kx = tap % ${taps.columns};
  var ky = tap / ${taps.columns};
  var at = begin % depth;
  var weightAt = ${forward ? "begin * all" : "tap * weightStep"};`
        : `var kx = 0u;
  var ky = 0u;
  var at = 0u;
  var weightAt = 0u;`
    }
  ${linear ? "var tapAt = 0u;" : ""}
  ${aim}`,
    advance: `at += ${slice}u;
    ${forward ? "weightAt += weightStep;" : ""}
    if (at == depth) {
      at = 0u;
      ${forward || halved ? "" : "weightAt += weightStep;"}
      kx++;
      if (kx == ${taps.columns}) { kx = 0u; ky++; }
      ${aim}
    }`,
  };
}

/** Slices that may have several taps. */
function slicesAcrossTaps(variant: TiledGather, size: Sizes): Loads {
  const { mode, tile, wideDepth, joined, doubled, layered } = variant;
  const forward = mode === "forward", taps = tapsOf(doubled && !forward);
  const { line, column } = pixelText(doubled && forward);
  const pixel = (n: number) =>
    layered
      ? `kx * pixels + p${n}`
      : `${line(`pn${n} + u32(sy${n})`, `params.${size.sw}`)} + ${column(`u32(sx${n})`)}`;
  const at = (n: number) =>
    joined === "source" ? `joinedAt(p${n}, channel)` : `(${pixel(n)}) * depth + channel`;
  return {
    a: {
      along: "k",
      prepare: perLoad(
        tile,
        "a",
        (n) =>
          `let sy${n} = sourceOf(${taps.py(`py${n}`)}, ${taps.ky}, params.py, params.${size.sh});
  let sx${n} = ${
            layered
              ? `i32(px${n})`
              : `sourceOf(${taps.px(`px${n}`)}, ${taps.kx}, params.px, params.${size.sw})`
          };
  let in${n} = ky < ${taps.rows} && sy${n} >= 0 && sx${n} >= 0;`,
      ),
      ...(wideDepth
        ? {
          load: (n) => `source[(${at(n)}) / 4u]`,
          valid: (n) => `in${n}`,
        }
        : { load: (n) => `quadA(${at(n)}, select(0u, depth - channel, in${n}))` }),
    },
    b: forward ? forwardWeight(variant) : inputWeight(variant),
    setup: `let depth = params.${size.depth};
  let padded = ${wideDepth ? "depth" : "(depth + 3u) / 4u * 4u"};
  let all = params.${size.columns};
  let end = ${taps.rows} * ${taps.columns} * padded;
  ${forward ? "let columnsLeft = rest(column + bLine, all);" : ""}
  ${pixelsOfLoads(tile, size)}
  var channel = aK;
  var kx = 0u;
  var ky = 0u;
  ${carry(taps.columns)}`,
    advance: `channel += ${tile.depth}u;
    ${carry(taps.columns)}`,
  };
}

/** WGSL: carries channels that went over the last into taps. */
const carry = (columns: string) =>
  `while (channel >= padded) {
    channel -= padded;
    kx++;
    if (kx == ${columns}) { kx = 0u; ky++; }
  }`;

/** weight[tap, k, column]: without padding k runs on through the taps. */
function forwardWeight({ tile, wideDepth, wideColumns }: TiledGather): TiledOperand {
  const prepare = wideDepth
    ? perLoad(tile, "b", (n) =>
      `let wk${n} = next + bK${n};
  let win${n} = wk${n} < end;`)
    : perLoad(tile, "b", (n) =>
      `let wt${n} = (next + bK${n}) / padded;
  let wc${n} = (next + bK${n}) % padded;
  let wk${n} = wt${n} * depth + wc${n};
  let win${n} = wc${n} < depth && next + bK${n} < end;`);
  const at = (n: number, first: string) => `wk${n} * all + ${first}`;
  const operand: Pick<TiledOperand, "along" | "prepare"> = { along: "lines", prepare };
  if (!wideColumns) {
    const left = (n: number) => `select(0u, columnsLeft, win${n})`;
    return { ...operand, load: (n) => `quadB(${at(n, "column + bLine")}, ${left(n)})` };
  }
  return {
    ...operand,
    load: (n) => `weight[(${at(n, "min(column + bLine, all - 4u)")}) / 4u]`,
    valid: (n) => `win${n}`,
  };
}

/** weight[tap, column, k]: an invocation's k in B is that in A, so tap and channel are known. */
function inputWeight({ wideDepth, layered, doubled }: TiledGather): TiledOperand {
  const taps = tapsOf(doubled);
  const at = (n: number) =>
    layered
      ? `kx * params.layerStep + min(column + bLine${n}, all - 1u) * depth + channel`
      : `((${taps.ky} * params.kw + ${taps.kx}) * all + min(column + bLine${n}, all - 1u)) * depth + channel`;
  if (!wideDepth) {
    const left = `select(0u, depth - channel, ky < ${taps.rows})`;
    return { along: "k", load: (n) => `quadB(${at(n)}, ${left})` };
  }
  return {
    along: "k",
    load: (n) => `weight[(${at(n)}) / 4u]`,
    valid: () => `ky < ${taps.rows}`,
  };
}

function storeGathered(
  { tile, added, wideColumns, split, joined }: TiledGather,
  size: Sizes,
): string {
  const image = added.includes("perImage")
    ? (row: string) => `let image = ${row} / (params.${size.height} * params.${size.width});`
    : () => "";
  return storeTile(tile, {
    rows: "pixels",
    columns: "all",
    wide: wideColumns,
    prepare: image,
    store: (value, column, index) => {
      const line = split ? "(group.z * pixels + r)" : "r";
      const at = index(
        joined === "result" ? `joinedAt(r, ${column})` : `${line} * all + ${column}`,
      );
      const places = { image: "image", column: index(column), at };
      const terms = epilogueTerms(added, places);
      return `out[${at}] = ${value}${terms};`;
    },
  });
}
