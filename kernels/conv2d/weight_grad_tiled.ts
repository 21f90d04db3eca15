/**
 * The weight gradient of weight_grad.ts through workgroup memory (see ../gemm_tiled.ts), for any sizes. Rows
 * of the product are taps times input channels, each tap's padded to a multiple of four; k runs over
 * pixels, in as many parts as fill a card. Where a slice of k is a piece of one line of pixels, or some
 * whole lines, all invocations go on from line to line together; otherwise each counts for itself.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import type { Kernel } from "../../device/kernel.ts";
import type { TensorRef } from "../../device/tensor.ts";
import {
  keepVector,
  keptVector,
  quadFunction,
  REST,
  storeTile,
  tiledKernel,
  type TiledOperand,
} from "../shared/gemm_tiled.ts";
import type { Variant } from "../shared/variants.ts";
import {
  familyOf,
  invocationsOf,
  perLoad,
  type RankedTile,
  rankTiles,
  tileColumns,
  tileGrid,
  tileName,
  WANTED_INVOCATIONS,
  type WorkgroupTile,
} from "../shared/workgroup_tiles.ts";
import {
  type Conv2dShape,
  convMultiplyAdds,
  JOINED_AT,
  pixelText,
  shapeTypes,
  shapeValues,
} from "./shape.ts";
import {
  layerText,
  layerTypes,
  mostParts,
  partialSums,
  type WeightGradProduct,
} from "./weight_grad_parts.ts";

/** Pixels that a part has at least, so that writing and adding its sums stays a small share. */
const LEAST_PIXELS = 512;

/** The ways of computing a weight gradient by these tiles, best guess first. */
export function tiledWeightGrads(
  product: WeightGradProduct,
  tiles: readonly RankedTile[],
): Variant[] {
  const { n, oh, ow, co } = product.shape;
  const rows = paddedRows(product);
  const pixels = Math.max(1, Math.floor(n * oh * ow / LEAST_PIXELS));
  const most = Math.min(Math.floor(65535 / product.layers), pixels, mostParts(product));
  return rankTiles(tiles, rows, co, most).map((tile) => {
    const [x, y] = tileGrid(tile, rows, co, 1);
    const wanted = Math.ceil(
      WANTED_INVOCATIONS / (x * y * product.layers * invocationsOf(tile)),
    );
    const parts = Math.min(wanted, most);
    return {
      family: familyOf(tile),
      name: tileName(tile),
      record: (capture) => recordTiled(capture, product, tile, parts),
    };
  });
}

function paddedRows({ shape: { kh, kw, ci } }: WeightGradProduct): number {
  return kh * kw * Math.ceil(ci / 4) * 4;
}

function recordTiled(
  capture: Capture,
  product: WeightGradProduct,
  tile: WorkgroupTile,
  wantedParts: number,
): TensorRef {
  const { x, dy, shape, layers } = product;
  const { n, oh, ow, ci, co, stride, seam, doubled = false } = shape;
  const pixels = n * oh * ow;
  const wide = { x: ci % 4 === 0, out: co % 4 === 0 };
  const lines = wide.x && wide.out ? linesOf(shape, tile) : undefined;
  // Parts begin where a slice and a line do.
  const unit = lines ? Math.max(ow, tile.depth) : 1;
  const pixelsPerPart = Math.ceil(pixels / wantedParts / unit) * unit;
  const parts = Math.ceil(pixels / pixelsPerPart);
  const out = partialSums(capture, product, parts);
  const [columns, blocks, batches] = tileGrid(tile, paddedRows(product), co, parts * layers);
  capture.dispatch({
    kernel: weightGradKernel({
      tile,
      stride,
      wide,
      lines,
      joined: seam !== undefined,
      doubled,
      layers,
    }),
    bindings: { x, dy, out },
    multiplyAdds: layers * convMultiplyAdds(shape),
    params: { ...shapeValues(shape), pixelsPerPart, blocks, layers },
    workgroups: [columns, blocks + 1, batches],
  });
  return out;
}

/** How slices of k lie in lines of pixels: several slices a line, or several lines a slice. */
type Lines = "part" | "several";

/** Undefined where slices begin anywhere. */
function linesOf({ oh, ow }: Conv2dShape, { depth }: WorkgroupTile): Lines | undefined {
  if (ow % depth === 0) return "part";
  return depth % ow === 0 && oh * ow % depth === 0 ? "several" : undefined;
}

/** What the code depends on. */
interface TiledWeightGrad {
  readonly tile: WorkgroupTile;
  readonly stride: number;
  /** Which images have channels in multiples of four. */
  readonly wide: { readonly x: boolean; readonly out: boolean };
  readonly lines: Lines | undefined;
  /** Whether x is joined of two. */
  readonly joined: boolean;
  /** Whether each pixel of x is read as four. */
  readonly doubled: boolean;
  /** Convolutions of x. */
  readonly layers: number;
}

function weightGradKernel(variant: TiledWeightGrad): Kernel {
  const { tile, stride, wide, lines, joined, doubled, layers } = variant;
  const layer = layerText(layers, "group.z");
  const flags = `${wide.x ? "" : "x"}${wide.out ? "" : "c"}`;
  const vector = full(wide.out ? 4 : 1);
  const loads = lines ? lineByLine(variant, lines) : slicesAnywhere(variant);
  return tiledKernel({
    tile,
    name: `conv2d.weight.${tileName(tile)}${stride === 1 ? "" : `.stride${stride}`}${
      flags && `.scalar-${flags}`
    }${lines === "several" ? ".lines" : lines ? "" : ".tail"}${joined ? ".joined" : ""}${
      doubled ? ".doubled" : ""
    }${layers > 1 ? ".layers" : ""}`,
    bindings: {
      x: { type: full(wide.x ? 4 : 1), access: "read", joined },
      dy: { type: vector, access: "read" },
      out: { type: vector, access: "write" },
    },
    params: { ...shapeTypes(joined), pixelsPerPart: "u32", blocks: "u32", ...layerTypes(layers) },
    functions: REST + (joined ? JOINED_AT : "") +
      (wide.x ? "" : quadFunction("quadA", "x", false)) +
      quadFunction("quadB", "dy", wide.out),
    a: loads.a,
    b: loads.b,
    advance: loads.advance,
    setup: `let taps = params.kh * params.kw;
  let padded = ${wide.x ? "params.ci" : "(params.ci + 3u) / 4u * 4u"};
  let tap = (row + aLine) / padded;
  let channel = (row + aLine) % padded;
  let ky = tap / params.kw;
  let kx = tap % params.kw;
  let first = ${layer.part} * params.pixelsPerPart;
  let dyFirst = ${layer.pixel}first;
  let end = min(params.pixelsPerPart, params.n * params.oh * params.ow - first);
  let sums = group.z * (taps * params.ci + 1u);
  if (group.y == params.blocks) {
    ${biasSums(tile, wide.out)}
    return;
  }
  ${loads.setup}`,
    store: `${
      storeTile(tile, {
        rows: "taps * padded",
        columns: "params.co",
        wide: wide.out,
        ...(wide.x ? {} : {
          prepare: (row) =>
            `let c = ${row} % padded;
      let line = (sums + ${row} / padded * params.ci + c) * params.co;
      let stop = select(params.co, 0u, c >= params.ci);`,
        }),
        store: (value, column, index) =>
          wide.x
            ? `out[${index(`(sums + r) * params.co + ${column}`)}] = ${value};`
            : `if (${column} < stop) { out[${index(`line + ${column}`)}] = ${value}; }`,
      })
    }`,
  });
}

interface Loads {
  readonly a: TiledOperand;
  readonly b: TiledOperand;
  readonly setup: string;
  readonly advance: string;
}

/**
 * All slices are whole. A slice begins at pixel `ox` of line `oy`, alike for all invocations, and each
 * load is some pixels and lines further on.
 */
function lineByLine(
  { tile, stride, joined, doubled }: TiledWeightGrad,
  lines: Lines,
): Loads {
  const pixel = pixelText(doubled);
  const times = stride === 1 ? "" : ` * ${stride}u`;
  // Coordinates left of or above the image wrap around to large numbers, which are outside too.
  const aim = (n: number, below: string) =>
    `{
      let sy = (oy${below})${times} + ky - params.py;
      inside${n} = sy < params.h;
      line${n} = ${pixel.line("image * params.h + sy", "params.w")}${
      joined ? "" : " * width + channel / 4u"
    };
    }`;
  const aims = lines === "part"
    ? aim(0, "")
    : perLoad(tile, "a", (n) => aim(n, ` + aK${n} / params.ow`));
  const line = (n: number) => lines === "part" ? 0 : n;
  const across = (n: number) => lines === "part" ? `ox + aK${n}` : `aK${n} % params.ow`;
  const nextLine = `if (oy == params.oh) { oy = 0u; image++; }`;
  return {
    a: {
      along: "lines",
      prepare: perLoad(tile, "a", (n) => `let sx${n} = (${across(n)})${times} + kx - params.px;`),
      load: (n) =>
        joined
          ? `x[joinedAt(line${line(n)} + sx${n}, channel) / 4u]`
          : `x[line${line(n)} + ${pixel.column(`sx${n}`)} * width]`,
      valid: (n) => `inside${line(n)} && sx${n} < params.w`,
    },
    b: { along: "lines", load: (n) => `dy[dyAt${n}]` },
    setup: `let width = params.ci / 4u;
  var ox = 0u;
  var oy = first / params.ow % params.oh;
  var image = first / params.ow / params.oh;
  ${perLoad(tile, "a", (n) => line(n) === n ? `var inside${n} = false; var line${n} = 0u;` : "")}
  ${
      perLoad(tile, "b", (n) =>
        `var dyAt${n} = ((dyFirst + bK${n}) * params.co + min(column + bLine, params.co - 4u)) / 4u;`)
    }
  let dyStep = ${tile.depth / 4}u * params.co;
  ${aims}`,
    advance: `${perLoad(tile, "b", (n) => `dyAt${n} += dyStep;`)}
    ${
      lines === "part"
        ? `ox += ${tile.depth}u;
    if (ox == params.ow) {
      ox = 0u;
      oy++;
      ${nextLine}
      ${aims}
    }`
        : `oy += ${tile.depth}u / params.ow;
    ${nextLine}
    ${aims}`
    }`,
  };
}

/** Slices that begin anywhere, with loads of any width. */
function slicesAnywhere({ tile, stride, wide, joined, doubled }: TiledWeightGrad): Loads {
  const { line, column } = pixelText(doubled);
  const times = stride === 1 ? "" : ` * ${stride}u`;
  const at = (n: number) => {
    const first = line(`image${n} * params.h + sy${n}`, "params.w");
    const pixel = `${first} + ${column(`sx${n}`)}`;
    return joined ? `joinedAt(${pixel}, channel)` : `(${pixel}) * params.ci + channel`;
  };
  const dyAt = (n: number, first: string) => `(dyFirst + next + bK${n}) * params.co + ${first}`;
  return {
    a: {
      along: "lines",
      prepare: perLoad(tile, "a", (n) =>
        `let sx${n} = ox${n}${times} + kx - params.px;
  let sy${n} = oy${n}${times} + ky - params.py;
  let in${n} = sx${n} < params.w && sy${n} < params.h && next + aK${n} < end;`),
      ...(wide.x
        ? { load: (n) => `x[(${at(n)}) / 4u]`, valid: (n) => `in${n}` }
        : { load: (n) => `quadA(${at(n)}, select(0u, channelsLeft, in${n}))` }),
    },
    b: {
      along: "lines",
      ...(wide.out
        ? {
          load: (n) => `dy[(${dyAt(n, "min(column + bLine, params.co - 4u)")}) / 4u]`,
          valid: (n) => `next + bK${n} < end`,
        }
        : {
          load: (n) =>
            `quadB(${dyAt(n, "column + bLine")}, select(0u, columnsLeft, next + bK${n} < end))`,
        }),
    },
    setup: `let channelsLeft = select(0u, params.ci - channel, tap < taps);
  let columnsLeft = rest(column + bLine, params.co);
  ${
      perLoad(tile, "a", (n) =>
        `var ox${n} = (first + aK${n}) % params.ow;
  var oy${n} = (first + aK${n}) / params.ow % params.oh;
  var image${n} = (first + aK${n}) / (params.ow * params.oh);`)
    }`,
    advance: perLoad(tile, "a", (n) =>
      `ox${n} += ${tile.depth}u;
  while (ox${n} >= params.ow) {
    ox${n} -= params.ow;
    oy${n}++;
    if (oy${n} == params.oh) { oy${n} = 0u; image${n}++; }
  }`),
  };
}

/** WGSL: the last workgroups of a part sum dy, whose pixels the invocations share out. */
function biasSums(tile: WorkgroupTile, wide: boolean): string {
  const quads = tileColumns(tile) / 4;
  const shares = invocationsOf(tile) / quads;
  const at = "(sums + taps * params.ci) * params.co + at";
  const store = wide
    ? `if (left > 0u) { out[(${at}) / 4u] = sum; }`
    : [0, 1, 2, 3].map((i) => `if (left > ${i}u) { out[${at} + ${i}u] = sum[${i}]; }`).join(
      "\n    ",
    );
  return `let at = column + thread % ${quads}u * 4u;
    let left = rest(at, params.co);
    var sum = vec4f();
    for (var p = thread / ${quads}u; p < end; p += ${shares}u) {
      sum += quadB((dyFirst + p) * params.co + at, left);
    }
    ${keepVector(tile, "lines", "thread", "sum")}
    workgroupBarrier();
    if (thread < ${quads}u) {
      for (var s = 1u; s < ${shares}u; s++) { sum += ${
    keptVector(tile, "lines", `(thread + s * ${quads}u)`)
  }; }
      ${store}
    }`;
}
