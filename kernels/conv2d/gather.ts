/**
 * Convolution as an implicit matrix product over gathered pixels; the forward pass and the gradient
 * with respect to the input are the same sum with other indices:
 *
 *     forward:  y[n, oy, ox, co] = sum x[n, oy s + ky - py, ox s + kx - px, ci] w[ky, kx, ci, co]
 *     input:   dx[n, iy, ix, ci] = sum dy[n, (iy + py - ky) / s, (ix + px - kx) / s, co] w[ky, kx, ci, co]
 *
 * where terms outside the image, or with a remainder, are zero. A row of the product is a pixel, k runs
 * over taps and channels. The epilogue adds bias, a vector an image (time embedding) and a residual. x may
 * be joined of two, or half as large and read as if it were upsampled (shape.ts).
 *
 * Variants: `sub` (see gemm.ts) where the adapter has subgroups, four channels a load where their number
 * allows it, from buffers or from textures; `tiled` (gather_tiled.ts) and `plain` (gather_plain.ts)
 * everywhere.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full, type Width } from "../../device/element.ts";
import type { Kernel } from "../../device/kernel.ts";
import type { TensorRef } from "../../device/tensor.ts";
import {
  BLOCK_TERMS,
  declareAccumulators,
  declareColumns,
  directB,
  endBlock,
  fittingTiles,
  type GemmTile,
  itemOfA,
  multiplyAdd,
  multiplyAddOne,
  operandAt,
  type OperandSource,
  perLoadOfA,
  perVector,
  storeTile,
  suitsTextures,
  tileColumns,
  tileName,
  totalsOfBlocks,
  transposedB,
} from "../shared/gemm.ts";
import { matrixTiles } from "../shared/gemm_matrix.ts";
import { recordVariant, type Variant } from "../shared/variants.ts";
import { TILES } from "../shared/workgroup_tiles.ts";
import {
  type Added,
  addedBy,
  bind,
  columnStrides,
  type Epilogue,
  epilogueTerms,
  type GatherMode,
  type GatherProduct,
  gatherSizes,
  kernelBindings,
  names,
  paramTypes,
  paramValues,
  sourceFunction,
  tapsOf,
} from "./gather_source.ts";
import { recordPlain } from "./gather_plain.ts";
import { tiledVariants } from "./gather_tiled.ts";
import { type Conv2dShape, convMultiplyAdds, JOINED_AT, pixelText } from "./shape.ts";

export { type Epilogue, type GatherMode } from "./gather_source.ts";

/** How a sum is made besides its sizes. */
export interface GatherChoices {
  readonly epilogue: Epilogue;
  /** Whether it is blocked where operands are f32, see {@linkcode BLOCK_TERMS}; false unless given. */
  readonly blocked?: boolean;
  /** See {@linkcode GatherProduct.layerStep}. */
  readonly layerStep?: number;
  readonly label: string;
}

/**
 * Records the sum over `source` into a new tensor.
 *
 * @param source The images that are gathered: x `[n, h, w, ci]` or dy `[n, oh, ow, co]`.
 */
export function gatherConv(
  capture: Capture,
  mode: GatherMode,
  source: TensorRef,
  weight: TensorRef,
  given: Conv2dShape,
  { epilogue, blocked: wanted = false, layerStep, label }: GatherChoices,
): TensorRef {
  const { n, h, w, ci, co, kh, kw, stride } = given;
  // The gradient of an image that was read as a doubled one is as small as that is.
  const halves = mode === "input" && given.doubled;
  const shape = halves ? { ...given, h: h / 2, w: w / 2 } : given;
  const added = addedBy(epilogue);
  // Of halves, what a sum in f32 loses is far below the rounding of its terms.
  const blocked = wanted && source.dtype === "f32";
  const product: GatherProduct = {
    ...{ mode, source, weight, shape, epilogue, added, blocked, layerStep, label },
  };
  const key = [
    `conv2d.${mode}`,
    `${n}x${h}x${w} ${ci}-${co} ${kh}x${kw}`,
    stride > 1 && `stride${stride}`,
    ...added,
    blocked && "blocked",
    shape.seam !== undefined && "joined",
    layerStep !== undefined && "layers",
    source.dtype !== "f32" && source.dtype,
  ].filter(Boolean).join(" ");
  return recordVariant(capture, key, [
    ...subgroupVariants(capture, product, "buffer"),
    ...subgroupVariants(capture, product, "texture"),
    ...tiledVariants(product, [
      ...TILES,
      // Matrix units sum as they do.
      ...blocked ? [] : matrixTiles(capture.gpu, source.dtype, weight.dtype),
    ]),
    { family: "plain", name: "plain", record: (capture) => recordPlain(capture, product) },
  ]);
}

function subgroupVariants(
  capture: Capture,
  product: GatherProduct,
  from: OperandSource,
): Variant[] {
  const { mode, shape, added, blocked } = product;
  const { rows, columns, depth, height, width } = gatherSizes(mode, shape);
  const powers = Number.isInteger(Math.log2(height)) && Number.isInteger(Math.log2(width));
  const vectors = depth % 4 === 0;
  const oneImage = (tile: GemmTile) => height * width % tile.rows === 0;
  const tiles = fittingTiles(capture.gpu, rows, columns);
  const fits = (tile: GemmTile) =>
    columnStrides(product).every((n) => n % tile.width === 0) &&
    Math.ceil(rows / tile.rows) <= 65535 &&
    (from === "buffer" ||
      readsTextures(capture, product, { depth: vectors ? 4 : 1, columns: tile.width }));
  const family = from === "buffer" ? "subgroup" : "texture";
  return tiles.filter(fits).map((tile) => ({
    family,
    name: `${family}${tileName(tile)}`,
    record(capture) {
      const { out, shared } = bind(capture, product);
      capture.dispatch({
        kernel: subgroupKernel({
          mode,
          from,
          tile,
          added,
          blocked,
          joined: shape.seam !== undefined,
          doubled: shape.doubled === true,
          layered: product.layerStep !== undefined,
          stride: mode === "forward" ? undefined : shape.stride,
          powers,
          vectors,
          oneImage: oneImage(tile),
        }),
        ...shared,
        params: {
          ...paramValues(product, tile.width),
          widthShift: Math.floor(Math.log2(width)),
          imageShift: Math.floor(Math.log2(height * width)),
        },
        workgroups: [Math.ceil(columns / tileColumns(tile)), Math.ceil(rows / tile.rows), 1],
      });
      return out;
    },
  }));
}

function readsTextures(
  { gpu }: Capture,
  { mode, source, weight, shape, epilogue: { residual } }: GatherProduct,
  widths: { readonly depth: Width; readonly columns: Width },
): boolean {
  const { depth, columns } = widths;
  return suitsTextures(gpu, convMultiplyAdds(shape), [
    [source, depth],
    [weight, mode === "forward" ? columns : depth],
    ...residual ? [[residual, columns] as const] : [],
  ]);
}

/** What the code of a subgroup kernel depends on. */
interface SubgroupVariant {
  readonly mode: GatherMode;
  /** Where source, weight and residual are read from. */
  readonly from: OperandSource;
  readonly tile: GemmTile;
  /** Names of the tensors that the epilogue adds. */
  readonly added: readonly Added[];
  readonly blocked: boolean;
  /** Whether x or its gradient is. */
  readonly joined: boolean;
  /** Whether each pixel of x is read as four. */
  readonly doubled: boolean;
  /** Whether taps are layers; see {@linkcode GatherProduct.layerStep}. */
  readonly layered: boolean;
  /** Where it is part of the code; see {@linkcode sourceFunction}. */
  readonly stride: number | undefined;
  /** Whether both sides of the output are powers of two: shifts instead of divisions. */
  readonly powers: boolean;
  /** Whether channels are loaded four at a time. */
  readonly vectors: boolean;
  /** Whether all pixels of a tile belong to one image. */
  readonly oneImage: boolean;
}

function subgroupKernel(variant: SubgroupVariant): Kernel {
  const { mode, from, tile, added, blocked, joined, doubled, layered } = variant;
  const { stride = 1, powers, vectors } = variant;
  const forward = mode === "forward", halved = doubled && !forward;
  const pixel = pixelText(doubled && forward), taps = tapsOf(halved);
  const { width } = tile;
  const size = names(mode);
  const perLoad = (text: (i: number) => string) => perLoadOfA(tile, text);
  const divide = powers
    ? { x: "& (params.{w} - 1u)", y: ">> params.widthShift", n: ">> params.imageShift" }
    : { x: "% params.{w}", y: "/ params.{w}", n: "/ (params.{w} * params.{h})" };
  const by = (axis: "x" | "y" | "n") =>
    divide[axis].replaceAll("{w}", size.width).replaceAll("{h}", size.height);
  const atRow = added.filter((name) =>
    name === "residual" || (name === "perImage" && !variant.oneImage)
  );
  const atColumn = added.filter((name) => !atRow.includes(name));
  const rowOf = powers ? `& (params.${size.height} - 1u)` : `% params.${size.height}`;
  return {
    name: `conv2d.${mode}.sub${tileName(tile)}${vectors ? "" : "s"}${
      stride === 1 ? "" : `.stride${stride}`
    }${powers ? ".pow2" : ""}${added.map((name) => `+${name}`).join("")}${
      atRow.includes("perImage") ? "s" : ""
    }${blocked ? ".blocked" : ""}${joined ? ".joined" : ""}${doubled ? ".doubled" : ""}${
      layered ? ".layers" : ""
    }${from === "texture" ? ".texture" : ""}`,
    bindings: kernelBindings(mode, added, { depth: vectors ? 4 : 1, columns: width }, joined, from),
    params: { ...paramTypes(added, { joined, layered }), widthShift: "u32", imageShift: "u32" },
    workgroupSize: [tile.lanes, 1, 1],
    subgroups: true,
    wgsl: `${sourceFunction(mode, variant.stride)}${joined ? JOINED_AT : ""}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let row = group.y * ${tile.rows}u;
  let columns = params.${size.columns} / ${tile.width}u;
  ${declareColumns(tile, `group.x * ${tile.lanes * tile.vectors}u`)}
  let depth = params.${size.depth}${vectors ? " / 4u" : ""};
  let pixels = params.n * params.${size.height} * params.${size.width};
  // A load of A is one pixel; pixels beyond the last are clamped and never stored.
  ${
      perLoad((i) =>
        `let p${i} = min(row + ${itemOfA(tile, i)}, pixels - 1u);
  let px${i} = p${i} ${by("x")};
  let py${i} = (p${i} ${by("y")}) ${rowOf};
  let pn${i} = (p${i} ${by("n")}) * params.${size.sh};`
      )
    }
  ${declareAccumulators(tile)}${
      blocked ? `\n  ${declareAccumulators(tile, "total")}\n  var inBlock = 0u;` : ""
    }
  ${halved ? "" : "var tap = 0u;"}
  for (var ky = 0u; ky < ${taps.rows}; ky++) {
    ${
      perLoad((i) =>
        `let sy${i} = sourceOf(${taps.py(`py${i}`)}, ${taps.ky}, params.py, params.${size.sh});`
      )
    }
    for (var kx = 0u; kx < ${taps.columns}; kx++) {
      ${halved ? `let tap = ${taps.ky} * params.kw + ${taps.kx};` : ""}
      ${
      perLoad((i) =>
        `let sx${i} = ${
          layered
            ? `i32(px${i})`
            : `sourceOf(${taps.px(`px${i}`)}, ${taps.kx}, params.px, params.${size.sw})`
        };
      let in${i} = sy${i} >= 0 && sx${i} >= 0;
      let pixel${i} = ${layered ? "kx * pixels + " : ""}${
          pixel.line(`pn${i} + u32(sy${i})`, `params.${size.sw}`)
        } + ${pixel.column(`u32(sx${i})`)};
      ${
          joined && forward
            ? `let near${i} = pixel${i} * (params.seam / 4u);
      let far${i} = joinedAt(pixel${i}, params.seam) / 4u - params.seam / 4u;`
            : `let at${i} = select(0u, pixel${i} * depth, in${i});`
        }`
      )
    }
      ${depthLoop(variant, perLoad)}
      ${halved ? "" : "tap++;"}
    }
  }
  let rows = pixels - row;
  let start = row * columns;
  ${blocked ? `${totalsOfBlocks(tile)}\n  ` : ""}${
      perVector(tile, (j) => {
        const places = { image: `(row ${by("n")})`, column: `safe${j}`, at: "" };
        return `let added${j} = ${full(width)}()${epilogueTerms(atColumn, places)};`;
      })
    }
  ${
      storeTile(tile, (i, value, j) => {
        const at = joined && !forward
          ? `joinedAt(row + ${i}, column${j} * ${width}u) / ${width}u`
          : `start + ${i} * columns + column${j}`;
        const places = { image: `((row + ${i}) ${by("n")})`, column: `column${j}`, at };
        const terms = epilogueTerms(atRow, places, from);
        return `out[${at}] = ${value} + added${j}${terms}`;
      })
    }
}`,
  };
}

/** WGSL: the loop over the channels of one tap. */
function depthLoop(
  { mode, from, tile, vectors, blocked, joined, layered }: SubgroupVariant,
  perLoad: (text: (i: number) => string) => string,
): string {
  // Forward: weight[tap, k, column]. Input gradient: weight[tap, column, k], transposed when loaded.
  const forward = mode === "forward";
  const step = vectors ? 4 : 1;
  const start = perVector(
    tile,
    (j) =>
      forward
        ? `var wt${j} = tap * depth * ${step}u * columns + safe${j};`
        : layered
        ? `var wt${j} = tap * (params.layerStep / ${step}u) + safe${j} * ${tile.width}u * depth;`
        : `var wt${j} = (tap * columns + safe${j}) * ${tile.width}u * depth;`,
  );
  const next = perVector(tile, (j) => `wt${j} += ${forward ? `${step}u * columns` : "1u"};`);
  let body: string;
  if (vectors) {
    const loadB = forward
      ? directB(
        tile,
        (q, j) => operandAt("weight", `wt${j} + ${q}u * columns`, from),
      )
      : transposedB(
        tile,
        (i, j) => operandAt("weight", `wt${j} + ${i}u * depth`, from),
      );
    body = `${loadB}\n${multiplyAdd(tile, "k")}`;
  } else {
    const loadB = perVector(tile, (j) => {
      const parts = [...Array(tile.width).keys()].map((i) =>
        operandAt("weight", `wt${j} + ${i}u * depth`, from)
      );
      const value = forward
        ? operandAt("weight", `wt${j}`, from)
        : `${full(tile.width)}(${parts.join(", ")})`;
      return `let b0_${j} = ${value};`;
    });
    body = `${loadB}\n${multiplyAddOne(tile)}`;
  }
  const zero = vectors ? "vec4f()" : "0.0";
  const steps = BLOCK_TERMS / step;
  // Blocks go on from tap to tap, so that few channels make no short ones.
  const end = `inBlock++;\nif (inBlock == ${steps}u) {\ninBlock = 0u;\n${endBlock(tile)}\n}`;
  const place = (i: number) =>
    joined && forward ? `select(far${i}, near${i}, k < params.seam / 4u)` : `at${i}`;
  return `${start}
      for (var k = 0u; k < depth; k++) {
        ${
    perLoad((i) =>
      `let a${i} = select(${zero}, ${operandAt("source", `${place(i)} + k`, from)}, in${i});`
    )
  }
        ${body}
        ${next}${blocked ? `\n        ${end}` : ""}
      }`;
}
