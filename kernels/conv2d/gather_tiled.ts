/**
 * The convolution of gather.ts through workgroup memory (see ../gemm_tiled.ts), for any sizes. k runs over
 * taps and channels; each tap's channels are padded to a multiple of four, so that a vec4 of k never
 * straddles two taps. Invocations count taps and channels up from slice to slice, as division is slow.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { type DType, stored, typeFlag } from "../../device/element.ts";
import type { Kernel } from "../../device/kernel.ts";
import type { TensorRef } from "../../device/tensor.ts";
import {
  perLoad,
  quadFunction,
  rankTiles,
  REST,
  storeTile,
  tiledKernel,
  type TiledOperand,
  tileGrid,
  tileName,
  type WorkgroupTile,
} from "../shared/gemm_tiled.ts";
import type { Variant } from "../shared/variants.ts";
import {
  type Added,
  bind,
  columnStrides,
  epilogueTerms,
  type GatherMode,
  type GatherProduct,
  gatherSizes,
  kernelBindings,
  names,
  paramTypes,
  paramValues,
  sourceFunction,
} from "./gather_source.ts";

/** The tiled ways of computing a convolution, best guess first. */
export function tiledVariants(product: GatherProduct): Variant[] {
  const { rows, columns } = gatherSizes(product.mode, product.shape);
  return rankTiles(rows, columns, 1).map((tile) => ({
    family: "tiled",
    name: tileName(tile),
    record: (capture) => recordTiled(capture, product, tile),
  }));
}

function recordTiled(capture: Capture, product: GatherProduct, tile: WorkgroupTile): TensorRef {
  const { mode, shape, added } = product;
  const { rows, columns, depth } = gatherSizes(mode, shape);
  const wideColumns = columnStrides(product).every((n) => n % 4 === 0);
  const { out, shared } = bind(capture, product);
  capture.dispatch({
    kernel: gatherKernel({
      mode,
      dtype: product.source.dtype,
      tile,
      added,
      stride: shape.stride,
      wideDepth: depth % 4 === 0,
      wideColumns,
    }),
    ...shared,
    params: paramValues(product, wideColumns ? 4 : 1),
    workgroups: tileGrid(tile, rows, columns, 1),
  });
  return out;
}

/** What the code depends on. */
interface TiledGather {
  readonly mode: GatherMode;
  /** What all tensors are stored as. */
  readonly dtype: DType;
  readonly tile: WorkgroupTile;
  /** Names of the tensors that the epilogue adds. */
  readonly added: readonly Added[];
  readonly stride: number;
  /** Whether the summed channels are loaded four at a time. */
  readonly wideDepth: boolean;
  /** Whether the result's channels are. */
  readonly wideColumns: boolean;
}

function gatherKernel(variant: TiledGather): Kernel {
  const { mode, dtype, tile, added, stride, wideDepth, wideColumns } = variant;
  const size = names(mode);
  const forward = mode === "forward";
  const flags = `${wideDepth ? "" : "d"}${wideColumns ? "" : "c"}`;
  return tiledKernel({
    tile,
    name: `conv2d.${mode}.${tileName(tile)}${stride === 1 ? "" : `.stride${stride}`}${
      flags && `.scalar-${flags}`
    }${typeFlag(dtype)}${added.map((name) => `+${name}`).join("")}`,
    bindings: kernelBindings(mode, added, dtype, {
      depth: wideDepth ? 4 : 1,
      columns: wideColumns ? 4 : 1,
    }),
    params: paramTypes(added),
    functions: REST + sourceFunction(mode, stride) +
      quadFunction("quadA", "source", wideDepth, dtype) +
      quadFunction("quadB", "weight", forward ? wideColumns : wideDepth, dtype),
    a: {
      along: "k",
      prepare: perLoad(
        tile,
        "a",
        (n) =>
          `let sy${n} = sourceOf(py${n}, ky, params.py, params.${size.sh});
  let sx${n} = sourceOf(px${n}, kx, params.px, params.${size.sw});
  let in${n} = ky < params.kh && sy${n} >= 0 && sx${n} >= 0;`,
      ),
      load: (n) =>
        `quadA(((pn${n} + u32(sy${n})) * params.${size.sw} + u32(sx${n})) * depth + channel, select(0u, depth - channel, in${n}))`,
    },
    b: forward ? forwardWeight(tile, wideDepth) : inputWeight(),
    setup: `let depth = params.${size.depth};
  let padded = ${wideDepth ? "depth" : "(depth + 3u) / 4u * 4u"};
  let all = params.${size.columns};
  let end = params.kh * params.kw * padded;
  let pixels = params.n * params.${size.height} * params.${size.width};
  ${forward ? "let columnsLeft = rest(column + bLine, all);" : ""}
  ${
      perLoad(tile, "a", (n) =>
        `let p${n} = min(row + aLine${n}, pixels - 1u);
  let line${n} = p${n} / params.${size.width};
  let px${n} = p${n} % params.${size.width};
  let py${n} = line${n} % params.${size.height};
  let pn${n} = line${n} / params.${size.height} * params.${size.sh};`)
    }
  var channel = aK;
  var kx = 0u;
  var ky = 0u;
  ${CARRY}`,
    advance: `channel += ${tile.depth}u;
    ${CARRY}`,
    store: storeGathered(variant, size),
  });
}

/** WGSL: carries channels that went over the last into taps. */
const CARRY = `while (channel >= padded) {
    channel -= padded;
    kx++;
    if (kx == params.kw) { kx = 0u; ky++; }
  }`;

/** weight[tap, k, column]: without padding k runs on through the taps. */
function forwardWeight(tile: WorkgroupTile, wideDepth: boolean): TiledOperand {
  const prepare = wideDepth
    ? perLoad(tile, "b", (n) =>
      `let wk${n} = next + bK${n};
  let win${n} = wk${n} < end;`)
    : perLoad(tile, "b", (n) =>
      `let wt${n} = (next + bK${n}) / padded;
  let wc${n} = (next + bK${n}) % padded;
  let wk${n} = wt${n} * depth + wc${n};
  let win${n} = wc${n} < depth && next + bK${n} < end;`);
  return {
    along: "lines",
    prepare,
    load: (n) => `quadB(wk${n} * all + column + bLine, select(0u, columnsLeft, win${n}))`,
  };
}

/** weight[tap, column, k]: an invocation's k in B is that in A, so tap and channel are known. */
function inputWeight(): TiledOperand {
  return {
    along: "k",
    load: (n) =>
      `quadB(((ky * params.kw + kx) * all + min(column + bLine${n}, all - 1u)) * depth + channel, select(0u, depth - channel, ky < params.kh))`,
  };
}

function storeGathered(
  { dtype, tile, added, wideColumns }: TiledGather,
  size: ReturnType<typeof names>,
): string {
  const image = added.includes("perImage")
    ? (row: string) => `let image = ${row} / (params.${size.height} * params.${size.width});`
    : () => "";
  const width = wideColumns ? 4 : 1;
  return storeTile(tile, {
    rows: "pixels",
    columns: "all",
    wide: wideColumns,
    prepare: image,
    store: (value, column, index) => {
      const at = index(`r * all + ${column}`);
      const places = { image: "image", column: index(column), at };
      const terms = epilogueTerms(added, { dtype, width }, places);
      return `out[${at}] = ${stored(dtype, width, `${value}${terms}`)};`;
    },
  });
}
