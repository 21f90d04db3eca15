/**
 * The weight gradient of weight_grad.ts through workgroup memory (see ../gemm_tiled.ts), for any sizes. Rows
 * of the product are taps times input channels, each tap's padded to a multiple of four; k runs over
 * pixels, in as many parts as fill a card.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import type { Kernel } from "../../device/kernel.ts";
import type { TensorRef } from "../../device/tensor.ts";
import {
  BUSY_INVOCATIONS,
  perLoad,
  quadFunction,
  rankTiles,
  REST,
  storeTile,
  tileColumns,
  tiledKernel,
  tileGrid,
  tileName,
  type WorkgroupTile,
} from "../shared/gemm_tiled.ts";
import type { Variant } from "../shared/variants.ts";
import { convMultiplyAdds, SHAPE_PARAMS } from "./shape.ts";
import { mostParts, partialSums, type WeightGradProduct } from "./weight_grad_parts.ts";

/** Pixels that a part has at least, so that writing and adding its sums stays a small share. */
const LEAST_PIXELS = 512;

/** The tiled ways of computing a weight gradient, best guess first. */
export function tiledWeightGrads(product: WeightGradProduct): Variant[] {
  const { n, oh, ow, co } = product.shape;
  const rows = paddedRows(product);
  const pixels = Math.max(1, Math.floor(n * oh * ow / LEAST_PIXELS));
  const most = Math.min(65535, pixels, mostParts(product.shape));
  return rankTiles(rows, co, most).map((tile) => {
    const [x, y] = tileGrid(tile, rows, co, 1);
    const wanted = Math.ceil(BUSY_INVOCATIONS / (x * y * tile.across * tile.down));
    const parts = Math.min(wanted, most);
    return {
      family: "tiled",
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
  const { x, dy, shape } = product;
  const { n, oh, ow, ci, co, stride } = shape;
  const pixels = n * oh * ow;
  const pixelsPerPart = Math.ceil(pixels / wantedParts);
  const parts = Math.ceil(pixels / pixelsPerPart);
  const out = partialSums(capture, shape, parts, { bias: true });
  const [columns, blocks, batches] = tileGrid(tile, paddedRows(product), co, parts);
  capture.dispatch({
    kernel: weightGradKernel(tile, stride, { x: ci % 4 === 0, out: co % 4 === 0 }),
    bindings: { x, dy, out },
    multiplyAdds: convMultiplyAdds(shape),
    params: { ...shape, pixelsPerPart, blocks },
    workgroups: [columns, blocks + 1, batches],
  });
  return out;
}

/** @param wide Which images have channels in multiples of four. */
function weightGradKernel(
  tile: WorkgroupTile,
  stride: number,
  wide: { readonly x: boolean; readonly out: boolean },
): Kernel {
  const flags = `${wide.x ? "" : "x"}${wide.out ? "" : "c"}`;
  const vector = full(wide.out ? 4 : 1);
  const times = stride === 1 ? "" : ` * ${stride}u`;
  return tiledKernel({
    tile,
    name: `conv2d.weight.${tileName(tile)}${stride === 1 ? "" : `.stride${stride}`}${
      flags && `.scalar-${flags}`
    }`,
    bindings: {
      x: { type: full(wide.x ? 4 : 1), access: "read" },
      dy: { type: vector, access: "read" },
      out: { type: vector, access: "write" },
    },
    params: { ...SHAPE_PARAMS, pixelsPerPart: "u32", blocks: "u32" },
    functions: REST + quadFunction("quadA", "x", wide.x) + quadFunction("quadB", "dy", wide.out),
    a: {
      along: "lines",
      // Coordinates left of or above the image wrap around to large numbers, which are outside too.
      prepare: perLoad(tile, "a", (n) =>
        `let sx${n} = ox${n}${times} + kx - params.px;
  let sy${n} = oy${n}${times} + ky - params.py;
  let in${n} = sx${n} < params.w && sy${n} < params.h && next + aK${n} < end;`),
      load: (n) =>
        `quadA(((image${n} * params.h + sy${n}) * params.w + sx${n}) * params.ci + channel, select(0u, channelsLeft, in${n}))`,
    },
    b: {
      along: "lines",
      load: (n) =>
        `quadB((first + next + bK${n}) * params.co + column + bLine, select(0u, columnsLeft, next + bK${n} < end))`,
    },
    setup: `let taps = params.kh * params.kw;
  let padded = ${wide.x ? "params.ci" : "(params.ci + 3u) / 4u * 4u"};
  let tap = (row + aLine) / padded;
  let channel = (row + aLine) % padded;
  let ky = tap / params.kw;
  let kx = tap % params.kw;
  let channelsLeft = select(0u, params.ci - channel, tap < taps);
  let columnsLeft = rest(column + bLine, params.co);
  let first = group.z * params.pixelsPerPart;
  let end = min(params.pixelsPerPart, params.n * params.oh * params.ow - first);
  let sums = group.z * (taps * params.ci + 1u);
  if (group.y == params.blocks) {
    ${biasSums(tile, wide.out)}
    return;
  }
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

/** WGSL: the last workgroups of a part sum dy, whose pixels the invocations share out. */
function biasSums(tile: WorkgroupTile, wide: boolean): string {
  const quads = tileColumns(tile) / 4;
  const shares = tile.across * tile.down / quads;
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
      sum += quadB((first + p) * params.co + at, left);
    }
    sliceA[thread] = sum;
    workgroupBarrier();
    if (thread < ${quads}u) {
      for (var s = 1u; s < ${shares}u; s++) { sum += sliceA[thread + s * ${quads}u]; }
      ${store}
    }`;
}
