/**
 * The matrix product of matmul.ts through workgroup memory (see gemm_tiled.ts), for any sizes, strides
 * and transposes. Small results of a long sum are split along k into batches that are then added.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { type DType, elementOf, loaded, stored, typeFlag } from "../../device/element.ts";
import type { BindingSpec, Kernel } from "../../device/kernel.ts";
import { reshape, type TensorRef } from "../../device/tensor.ts";
import {
  BUSY_INVOCATIONS,
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
import {
  BATCH,
  batchText,
  dispatchArgs,
  isMultiple,
  type MatmulArgs,
  outOf,
  PARAMS,
  placesFit,
  transposedOf,
} from "./args.ts";
import { sumMiddle } from "../reduce/reduce.ts";
import type { Variant } from "../shared/variants.ts";

/** The tiled ways of computing a product, best guess first. */
export function tiledVariants(args: MatmulArgs): Variant[] {
  const { m, n, outer = 1, inner = 1 } = args;
  const parts = splitParts(args);
  return rankTiles(m, n, outer * inner * parts).map((tile) => ({
    family: "tiled",
    name: `${tileName(tile)}${parts > 1 ? `.split${parts}` : ""}`,
    record: (capture) => recordTiled(capture, args, tile, parts),
  }));
}

/** k that a part of a split product has at least. */
const LEAST_SPLIT_K = 512;

/** Elements of C that an invocation of the middle tile computes. */
const ELEMENTS_OF_AN_INVOCATION = 16;

/** Into how many parts of equal k a product is split, so that small results still fill a card. */
function splitParts({ a, m, n, k, outer = 1, inner = 1, out, bias, places }: MatmulArgs): number {
  // Parts in fewer bits would lose what the sum keeps.
  if (a.tensor.dtype !== "f32") return 1;
  if (out || bias || places || outer * inner > 1) return 1;
  let parts = 1;
  while (
    m * n * parts < ELEMENTS_OF_AN_INVOCATION * BUSY_INVOCATIONS && k % (8 * parts) === 0 &&
    k / (2 * parts) >= LEAST_SPLIT_K
  ) parts *= 2;
  return parts;
}

function recordTiled(
  capture: Capture,
  args: MatmulArgs,
  tile: WorkgroupTile,
  parts: number,
): TensorRef {
  if (parts > 1) {
    // Parts of k are batches of their own, whose products are then added in a fixed order.
    const { a, b, m, n, label = "matmul" } = args;
    const k = args.k / parts;
    const products = recordTiled(
      capture,
      {
        ...args,
        a: { ...a, inner: a.transposed ? k * a.row : k },
        b: { ...b, inner: b.transposed ? k : k * b.row },
        k,
        inner: parts,
        label: `${label} parts`,
      },
      tile,
      1,
    );
    return reshape(sumMiddle(capture, products, [1, parts, m * n]), [1, m, n]);
  }
  const { a, b, m, n, k, outer = 1, inner = 1 } = args;
  const out = outOf(capture, args);
  const transposed = transposedOf(args);
  const fits = placesFit(args.places, 4);
  const kernel = tiledMatmulKernel(
    {
      tile,
      transposed,
      wide: {
        a: fits && (transposed.a ? m : k) % 4 === 0 && isMultiple(a, 4),
        b: fits && (transposed.b ? k : n) % 4 === 0 && isMultiple(b, 4),
        out: fits && n % 4 === 0 && isMultiple(out, 4),
      },
      dtype: a.tensor.dtype,
      bias: args.bias !== undefined,
      places: args.places !== undefined,
    },
  );
  const workgroups = tileGrid(tile, m, n, outer * inner);
  capture.dispatch({ kernel, ...dispatchArgs(capture, args, out), workgroups });
  return out.tensor;
}

/** What the code of a tiled product depends on. */
interface TiledMatmul {
  readonly tile: WorkgroupTile;
  /** Which operands are stored as their transposes. */
  readonly transposed: { readonly a: boolean; readonly b: boolean };
  /** Whether each tensor, and all that is stepped over in it, is a multiple of four floats. */
  readonly wide: { readonly a: boolean; readonly b: boolean; readonly out: boolean };
  /** What all of them are stored as. */
  readonly dtype: DType;
  readonly bias: boolean;
  readonly places: boolean;
}

function tiledMatmulKernel({ tile, transposed, wide, dtype, bias, places }: TiledMatmul): Kernel {
  const type = (isWide: boolean) => elementOf(dtype, isWide ? 4 : 1);
  const bindings: Record<string, BindingSpec> = {
    a: { type: type(wide.a), access: "read" },
    b: { type: type(wide.b), access: "read" },
    out: { type: type(wide.out), access: "write" },
  };
  if (bias) bindings.bias = { type: type(wide.out), access: "read" };
  if (places) bindings.places = { type: elementOf("u32", 1), access: "read" };
  const batch = batchText("group.z", places);
  // Lines beyond the matrix are clamped when loading and skipped when storing.
  const a: TiledOperand = transposed.a
    ? {
      along: "lines",
      load: (n) =>
        `quadA(aStart + (next + aK${n}) * params.aRow, select(0u, aLeft, next + aK${n} < end))`,
    }
    : { along: "k", load: (n) => `quadA(aStart${n} + next, rest(next + aK, end))` };
  const b: TiledOperand = transposed.b
    ? { along: "k", load: (n) => `quadB(bStart${n} + next, rest(next + bK, end))` }
    : {
      along: "lines",
      load: (n) => `quadB(bStart + (next + bK${n}) * bRow, select(0u, bLeft, next + bK${n} < end))`,
    };
  const flags = [!wide.a && "a", !wide.b && "b", !wide.out && "c"].filter(Boolean).join("");
  return tiledKernel({
    tile,
    name: `matmul.${tileName(tile)}${transposed.a ? ".aT" : ""}${transposed.b ? ".bT" : ""}${
      flags && `.scalar-${flags}`
    }${places ? ".places" : ""}${typeFlag(dtype)}`,
    bindings,
    params: PARAMS,
    functions: BATCH + REST + quadFunction("quadA", "a", wide.a, dtype) +
      quadFunction("quadB", "b", wide.b, dtype),
    a,
    b,
    setup: `let end = params.k;
  let aBatch = ${batch.a};
  let bBatch = ${batch.b};
  let bRow = ${batch.bRow};
  ${
      transposed.a
        ? `let aStart = aBatch + row + aLine;
  let aLeft = rest(row + aLine, params.m);`
        : perLoad(
          tile,
          "a",
          (n) =>
            `let aStart${n} = aBatch + min(row + aLine${n}, params.m - 1u) * params.aRow + aK;`,
        )
    }
  ${
      transposed.b
        ? perLoad(
          tile,
          "b",
          (n) => `let bStart${n} = bBatch + min(column + bLine${n}, params.n - 1u) * bRow + bK;`,
        )
        : `let bStart = bBatch + column + bLine;
  let bLeft = rest(column + bLine, params.n);`
    }`,
    store: `let outStart = ${batch.out};
  let outRow = ${batch.outRow};
  ${bias ? `let biasStart = ${batch.bias};` : ""}
  ${
      storeTile(tile, {
        rows: "params.m",
        columns: "params.n",
        wide: wide.out,
        store: (value, column, index) => {
          const width = wide.out ? 4 : 1;
          const added = bias
            ? ` + ${loaded(dtype, width, `bias[${index(`biasStart + ${column}`)}]`)}`
            : "";
          const result = stored(dtype, width, `params.alpha * ${value}${added}`);
          return `out[${index(`outStart + r * outRow + ${column}`)}] = ${result};`;
        },
      })
    }`,
  });
}
