/**
 * Gradient of a convolution with respect to its weight:
 *
 *     dw[ky, kx, ci, co] = sum over n, oy, ox of x[n, oy s + ky - py, ox s + kx - px, ci] dy[n, oy, ox, co]
 *     db[co]             = sum over n, oy, ox of dy[n, oy, ox, co]
 *
 * A matrix product whose k runs over pixels, line by line. The pixels are split into parts whose lines
 * stay in a core's cache while every tile of weights passes over them. The bias's gradient is one more
 * row, by workgroups of its own.
 *
 * Variants: `sub` (see gemm.ts) for input channels in multiples of four, from buffers or from textures; `narrow` (weight_grad_narrow.ts)
 * for images of one or three channels; `tiled` (weight_grad_tiled.ts) and `plain` everywhere.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import type { Kernel } from "../../device/kernel.ts";
import { sizeOf, type TensorRef } from "../../device/tensor.ts";
import {
  declareAccumulators,
  declareColumns,
  directB,
  fittingTiles,
  type GemmTile,
  multiplyAdd,
  operandAt,
  type OperandSource,
  perLoadOfA,
  perVector,
  rowsLoad,
  storeTile,
  suitsTextures,
  tileColumns,
  tileName,
} from "../shared/gemm.ts";
import { matrixTiles } from "../shared/gemm_matrix.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import { recordVariant, type Variant } from "../shared/variants.ts";
import { TILES } from "../shared/workgroup_tiles.ts";
import {
  type Conv2dShape,
  convMultiplyAdds,
  JOINED_AT,
  pixelText,
  shapeTypes,
  shapeValues,
} from "./shape.ts";
import { chooseNarrow, narrowKernel, type NarrowVariant } from "./weight_grad_narrow.ts";
import {
  gradsOf,
  layerText,
  layerTypes,
  mostParts,
  partialSums,
  type WeightGradProduct,
  type WeightGrads,
  weightRows,
} from "./weight_grad_parts.ts";
import { tiledWeightGrads } from "./weight_grad_tiled.ts";

/** Floats of x and dy that a part may hold: half a mebibyte, half of a usual core's cache. */
const PART_FLOATS = 131072;

/** Pixels that a part has at least, so that writing and adding its sums stays a small share. */
const LEAST_PIXELS = 1024;

/** Records the parts of `dw` `[kh, kw, ci, co]` and `db` `[co]` from x `[n, h, w, ci]` and dy `[n, oh, ow, co]`. */
export function conv2dWeightGrad(
  capture: Capture,
  x: TensorRef,
  dy: TensorRef,
  shape: Conv2dShape,
): WeightGrads {
  return conv2dWeightGrads(capture, x, dy, shape, 1)[0]!;
}

/** The same of several convolutions of x, whose dy lie one behind the other. */
export function conv2dWeightGrads(
  capture: Capture,
  x: TensorRef,
  dy: TensorRef,
  shape: Conv2dShape,
  layers: number,
): WeightGrads[] {
  const { n, h, w, ci, co, kh, kw, stride } = shape;
  const product: WeightGradProduct = { x, dy, shape, layers };
  const units = matrixTiles(capture.gpu, x.dtype, dy.dtype);
  const key = [
    "conv2d.weight",
    `${n}x${h}x${w} ${ci}-${co} ${kh}x${kw}`,
    stride > 1 && `stride${stride}`,
    layers > 1 && `x${layers}`,
    units.length > 0 && x.dtype,
  ].filter(Boolean).join(" ");
  const parts = recordVariant(capture, key, [
    ...subgroupVariants(capture, product),
    ...tiledWeightGrads(product, [...TILES, ...units]),
    { family: "plain", name: "plain", record: (capture) => recordPlain(capture, product) },
  ]);
  return gradsOf(parts, shape);
}

function subgroupVariants(capture: Capture, product: WeightGradProduct): Variant[] {
  const { shape, layers } = product;
  const { ci, co } = shape;
  const variants: Variant[] = [];
  const whole = shape.seam === undefined && !shape.doubled && layers === 1;
  const narrow = whole ? chooseNarrow(capture.gpu, shape) : undefined;
  if (narrow) {
    const record = (capture: Capture) => recordNarrow(capture, product, narrow);
    variants.push({ family: "subgroup", name: `narrow${narrow.tile.rows}`, record });
  }
  for (const from of ["buffer", "texture"] as const) {
    const family = from === "buffer" ? "subgroup" : "texture";
    for (const tile of ci % 4 === 0 ? fittingTiles(capture.gpu, ci, co) : []) {
      if (co % tile.width !== 0) continue;
      if (from === "texture" && (narrow || !readsTextures(capture, product, tile))) continue;
      const record = (capture: Capture) => recordSubgroups(capture, product, tile, from);
      variants.push({ family, name: `${family}${tileName(tile)}`, record });
    }
  }
  return variants;
}

function readsTextures({ gpu }: Capture, product: WeightGradProduct, tile: GemmTile): boolean {
  const { x, dy, shape, layers } = product;
  return suitsTextures(gpu, layers * convMultiplyAdds(shape), [[x, 4], [dy, tile.width]]);
}

function recordNarrow(
  capture: Capture,
  product: WeightGradProduct,
  narrow: NarrowVariant,
): TensorRef {
  const { x, dy, shape } = product;
  const { n, h, w, ci, co, kh, kw, oh, ow, stride } = shape;
  // Lines of the images that are walked through.
  const [lines, width] = narrow.scans === "x" ? [n * h, w] : [n * oh, ow];
  const { parts, linesPerPart } = partsOf(lines, width, product);
  const out = partialSums(capture, product, parts);
  capture.dispatch({
    kernel: narrowKernel(narrow, stride),
    bindings: { x, dy, out },
    multiplyAdds: convMultiplyAdds(shape),
    params: { ...shapeValues(shape), linesPerPart, dyLinesPerPart: Math.ceil(n * oh / parts) },
    workgroups: [
      Math.ceil(kh * kw * Math.min(ci, co) / narrow.tile.lanes),
      Math.ceil(Math.max(ci, co) / narrow.tile.rows) + 1,
      parts,
    ],
  });
  return out;
}

function recordSubgroups(
  capture: Capture,
  product: WeightGradProduct,
  tile: GemmTile,
  from: OperandSource,
): TensorRef {
  const { x, dy, shape, layers } = product;
  const { n, ci, co, kh, kw, oh, ow } = shape;
  const { parts, linesPerPart } = partsOf(n * oh, ow, product);
  const out = partialSums(capture, product, parts);
  capture.dispatch({
    kernel: subgroupKernel(tile, from, product),
    bindings: { x, dy, out },
    multiplyAdds: layers * convMultiplyAdds(shape),
    params: { ...shapeValues(shape), linesPerPart, layers },
    workgroups: [
      Math.ceil(co / tileColumns(tile)),
      kh * kw * Math.ceil(ci / tile.rows) + 1,
      parts * layers,
    ],
  });
  return out;
}

function recordPlain(capture: Capture, product: WeightGradProduct): TensorRef {
  const { x, dy, shape, layers } = product;
  const { parts, linesPerPart } = partsOf(shape.n * shape.oh, shape.ow, product);
  const out = partialSums(capture, product, parts);
  const rows = weightRows(shape) + 1;
  capture.dispatch({
    kernel: plainKernel(product),
    bindings: { x, dy, out },
    multiplyAdds: layers * convMultiplyAdds(shape),
    params: { ...shapeValues(shape), linesPerPart, parts: parts * layers, rows, layers },
    workgroups: flatGrid(sizeOf(out.shape), STREAM_WORKGROUP),
  });
  return out;
}

/** How many lines of the images that are walked through a part has. */
function partsOf(lines: number, width: number, product: WeightGradProduct) {
  const { ci, co } = product.shape;
  const pixelsPerPart = Math.max(LEAST_PIXELS, PART_FLOATS / (ci + co));
  const wanted = Math.max(1, Math.floor(lines * width / pixelsPerPart));
  const linesPerPart = Math.ceil(lines / Math.min(wanted, mostParts(product)));
  return { parts: Math.ceil(lines / linesPerPart), linesPerPart };
}

/**
 * A workgroup owns `rows` input channels of one tap. Per step it takes four neighbouring output pixels;
 * pixels past the end of a line or outside the image load as zeros of x, which cancels their dy.
 */
function subgroupKernel(
  tile: GemmTile,
  from: OperandSource,
  { shape: { seam, doubled = false }, layers }: WeightGradProduct,
): Kernel {
  const joined = seam !== undefined, pixel = pixelText(doubled);
  const layer = layerText(layers, "group.z");
  const vector = full(tile.width);
  const textured = from === "texture";
  const dyAt = (index: string) => operandAt("dy", index, from);
  const xAt = (i: number) => {
    const at = `xLine + ${pixel.column(`u32(sx${i})`)}`;
    return joined ? `joinedAt(${at}, 4u * quad${i}) / 4u` : `(${at}) * depth + quad${i}`;
  };
  return {
    name: `conv2d.weight.sub${tileName(tile)}${joined ? ".joined" : ""}${
      doubled ? ".doubled" : ""
    }${layers > 1 ? ".layers" : ""}${textured ? ".texture" : ""}`,
    bindings: {
      x: { type: full(4), access: "read", textured, joined },
      dy: { type: vector, access: "read", textured },
      out: { type: vector, access: "write" },
    },
    params: { ...shapeTypes(joined), linesPerPart: "u32", ...layerTypes(layers) },
    workgroupSize: [tile.lanes, 1, 1],
    subgroups: true,
    wgsl: `${joined ? JOINED_AT : ""}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let columns = params.co / ${tile.width}u;
  ${declareColumns(tile, `group.x * ${tile.lanes * tile.vectors}u`)}
  let depth = params.ci / 4u;
  let blocks = (params.ci + ${tile.rows - 1}u) / ${tile.rows}u;
  let tap = group.y / blocks;
  let row = group.y % blocks * ${tile.rows}u;
  let ky = i32(tap / params.kw) - i32(params.py);
  let kx = i32(tap % params.kw) - i32(params.px);
  ${
      perLoadOfA(tile, (i) => {
        const { k, quad } = rowsLoad(tile, i);
        return `let k${i} = ${k};
  let quad${i} = min(row / 4u + ${quad}, depth - 1u);`;
      })
    }
  let first = ${layer.part} * params.linesPerPart;
  let end = min(first + params.linesPerPart, params.n * params.oh);
  let weights = params.kh * params.kw * params.ci;
  let sums = group.z * (weights + 1u) * columns;
  if (tap == params.kh * params.kw) {
    ${perVector(tile, (j) => `var sum${j} = ${vector}();`)}
    for (var line = first; line < end; line++) {
      ${perVector(tile, (j) => `var ofLine${j} = ${vector}();`)}
      for (var at = line * params.ow; at < (line + 1u) * params.ow; at++) {
        ${
      perVector(tile, (j) => `ofLine${j} += ${dyAt(`(${layer.pixel}at) * columns + safe${j}`)};`)
    }
      }
      ${perVector(tile, (j) => `sum${j} += ofLine${j};`)}
    }
    ${
      perVector(tile, (j) =>
        `if (column${j} < columns) { out[sums + weights * columns + column${j}] = sum${j}; }`)
    }
    return;
  }
  ${declareAccumulators(tile)}
  var image = first / params.oh;
  var oy = first % params.oh;
  for (var line = first; line < end; line++) {
    let sy = i32(oy * params.stride) + ky;
    if (sy >= 0 && sy < i32(params.h)) {
      let xLine = ${pixel.line("image * params.h + u32(sy)", "params.w")};
      let dyLine = ${layer.pixel}line * params.ow;
      for (var ox = 0u; ox < params.ow; ox += 4u) {
        ${
      perLoadOfA(tile, (i) =>
        `let sx${i} = i32((ox + k${i}) * params.stride) + kx;
        let in${i} = sx${i} >= 0 && sx${i} < i32(params.w) && ox + k${i} < params.ow;
        let a${i} = select(vec4f(), ${
          operandAt("x", `select(0u, ${xAt(i)}, in${i})`, from)
        }, in${i});`)
    }
        ${
      directB(
        tile,
        (q, j) => dyAt(`(dyLine + min(ox + ${q}u, params.ow - 1u)) * columns + safe${j}`),
      )
    }
        ${multiplyAdd(tile, "rows")}
      }
    }
    oy++;
    if (oy == params.oh) {
      oy = 0u;
      image++;
    }
  }
  let start = sums + (tap * params.ci + row) * columns;
  let rows = params.ci - row;
  ${storeTile(tile, (row, value, j) => `out[start + ${row} * columns + column${j}] = ${value}`)}
}`,
  };
}

function plainKernel({ shape: { seam, doubled = false }, layers }: WeightGradProduct): Kernel {
  const layer = layerText(layers, "item / (params.co * params.rows)");
  const joined = seam !== undefined, pixel = pixelText(doubled);
  const at = `xLine + ${pixel.column("u32(sx)")}`;
  const xAt = joined ? `joinedAt(${at}, channel)` : `(${at}) * params.ci + channel`;
  return {
    name: `conv2d.weight.plain${joined ? ".joined" : ""}${doubled ? ".doubled" : ""}${
      layers > 1 ? ".layers" : ""
    }`,
    bindings: {
      x: { type: full(1), access: "read", joined },
      dy: { type: full(1), access: "read" },
      out: { type: full(1), access: "write" },
    },
    params: {
      ...shapeTypes(joined),
      linesPerPart: "u32",
      parts: "u32",
      rows: "u32",
      ...layerTypes(layers),
    },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}${joined ? JOINED_AT : ""}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let item = flatInvocation(global, groups);
  let column = item % params.co;
  let row = item / params.co % params.rows;
  if (item / (params.co * params.rows) >= params.parts) { return; }
  let part = ${layer.part};
  let dyFirst = ${layer.pixel}0u;
  let channel = row % params.ci;
  let tap = row / params.ci;
  let isBias = tap == params.kh * params.kw;
  let ky = i32(tap / params.kw) - i32(params.py);
  let kx = i32(tap % params.kw) - i32(params.px);
  var sum = 0.0;
  let end = min((part + 1u) * params.linesPerPart, params.n * params.oh);
  for (var line = part * params.linesPerPart; line < end; line++) {
    // Lines are summed apart, which keeps round-off small.
    var ofLine = 0.0;
    if (isBias) {
      for (var ox = 0u; ox < params.ow; ox++) {
        ofLine += dy[(dyFirst + line * params.ow + ox) * params.co + column];
      }
      sum += ofLine;
      continue;
    }
    let sy = i32(line % params.oh * params.stride) + ky;
    if (sy < 0 || sy >= i32(params.h)) { continue; }
    let xLine = ${pixel.line("line / params.oh * params.h + u32(sy)", "params.w")};
    for (var ox = 0u; ox < params.ow; ox++) {
      let sx = i32(ox * params.stride) + kx;
      if (sx < 0 || sx >= i32(params.w)) { continue; }
      ofLine += x[${xAt}] *
        dy[(dyFirst + line * params.ow + ox) * params.co + column];
    }
    sum += ofLine;
  }
  out[item] = sum;
}`,
  };
}
