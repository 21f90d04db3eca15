/**
 * The matrix product of matmul.ts through workgroup memory (see gemm_tiled.ts), for any sizes, strides
 * and transposes. Small results of a long sum are split along k into batches that are then added.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, full } from "../../device/element.ts";
import type { BindingSpec, Kernel } from "../../device/kernel.ts";
import { reshape, type TensorRef } from "../../device/tensor.ts";
import {
  quadFunction,
  REST,
  storeTile,
  tiledKernel,
  type TiledOperand,
} from "../shared/gemm_tiled.ts";
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

/** The ways of computing a product by these tiles, best guess first. */
export function tiledVariants(args: MatmulArgs, tiles: readonly RankedTile[]): Variant[] {
  const { m, n, outer = 1, inner = 1 } = args;
  const parts = partsOf(args);
  return rankTiles(tiles, m, n, outer * inner * parts).map((tile) => ({
    family: familyOf(tile),
    name: `${tileName(tile)}${parts > 1 ? `.split${parts}` : ""}`,
    record: (capture) => recordTiled(capture, args, tile, parts),
  }));
}

function partsOf({ a, m, n, k, outer = 1, inner = 1, out, bias, places }: MatmulArgs): number {
  // Parts in fewer bits would lose what the sum keeps.
  if (a.tensor.dtype !== "f32") return 1;
  return out || bias || places || outer * inner > 1 ? 1 : splitParts(m, n, k);
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
      tail: k % tile.depth !== 0,
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
  /** Whether the last slice is not whole. */
  readonly tail: boolean;
  readonly bias: boolean;
  readonly places: boolean;
}

function tiledMatmulKernel(
  { tile, transposed, wide, tail, bias, places }: TiledMatmul,
): Kernel {
  const type = (isWide: boolean) => full(isWide ? 4 : 1);
  const bindings: Record<string, BindingSpec> = {
    a: { type: type(wide.a), access: "read" },
    b: { type: type(wide.b), access: "read" },
    out: { type: type(wide.out), access: "write" },
  };
  if (bias) bindings.bias = { type: type(wide.out), access: "read" };
  if (places) bindings.places = { type: elementOf("u32", 1), access: "read" };
  const batch = batchText("group.z", places);
  const a = operandText("a", { tile, wide: wide.a, transposed: transposed.a, tail });
  const b = operandText("b", { tile, wide: wide.b, transposed: !transposed.b, tail });
  const flags = [!wide.a && "a", !wide.b && "b", !wide.out && "c"].filter(Boolean).join("");
  return tiledKernel({
    tile,
    name: `matmul.${tileName(tile)}${transposed.a ? ".aT" : ""}${transposed.b ? ".bT" : ""}${
      flags && `.scalar-${flags}`
    }${tail ? ".tail" : ""}${places ? ".places" : ""}`,
    bindings,
    params: PARAMS,
    functions: BATCH + REST + (wide.a ? "" : quadFunction("quadA", "a", false)) +
      (wide.b ? "" : quadFunction("quadB", "b", false)),
    a: a.operand,
    b: b.operand,
    setup: `let end = params.k;
  let aRow = params.aRow;
  let aBatch = ${batch.a};
  let bBatch = ${batch.b};
  let bRow = ${batch.bRow};
  ${a.setup}
  ${b.setup}`,
    advance: `${a.advance}\n    ${b.advance}`,
    store: `let outStart = ${batch.out};
  let outRow = ${batch.outRow};
  ${bias ? `let biasStart = ${batch.bias};` : ""}
  ${
      storeTile(tile, {
        rows: "params.m",
        columns: "params.n",
        wide: wide.out,
        store: (value, column, index) => {
          const added = bias ? ` + bias[${index(`biasStart + ${column}`)}]` : "";
          const result = `params.alpha * ${value}${added}`;
          return `out[${index(`outStart + r * outRow + ${column}`)}] = ${result};`;
        },
      })
    }`,
  });
}

/** How an operand is loaded. */
interface OperandLoads {
  readonly tile: WorkgroupTile;
  readonly wide: boolean;
  /** Whether its lines (rows of A, columns of B) run along memory, and not k. */
  readonly transposed: boolean;
  readonly tail: boolean;
}

/**
 * WGSL of an operand, whose places in memory count up from slice to slice. Lines beyond the matrix are
 * clamped when loading and skipped when storing.
 */
function operandText(x: "a" | "b", { tile, wide, transposed, tail }: OperandLoads) {
  const [first, lines] = x === "a" ? ["row", "params.m"] : ["column", "params.n"];
  const k = (n: number) => `next + ${transposed ? `${x}K${n}` : `${x}K`}`;
  const quad = x === "a" ? "quadA" : "quadB";
  const line = (n: number) => `${first} + ${transposed ? `${x}Line` : `${x}Line${n}`}`;
  const start = (n: number) =>
    transposed
      ? `${x}Batch + ${x}K${n} * ${x}Row + ${wide ? `min(${line(n)}, ${lines} - 4u)` : line(n)}`
      : `${x}Batch + min(${line(n)}, ${lines} - 1u) * ${x}Row + ${x}K`;
  const step = transposed ? `${tile.depth}u * ${x}Row` : `${tile.depth}u`;
  const unit = wide ? " / 4u" : "";
  // What is left from a place on, for loads float by float.
  const left = (n: number) =>
    transposed ? `select(0u, ${x}Left, ${k(n)} < end)` : `rest(${k(n)}, end)`;
  const operand: TiledOperand = {
    along: transposed ? "lines" : "k",
    ...(wide
      ? {
        load: (n) => `${x}[${x}At${n}]`,
        valid: tail ? (n) => `${k(n)} < end` : undefined,
      }
      : { load: (n) => `${quad}(${x}At${n}, ${left(n)})` }),
  };
  return {
    operand,
    setup: `${perLoad(tile, x, (n) => `var ${x}At${n} = (${start(n)})${unit};`)}
  let ${x}Step = (${step})${unit};
  ${transposed && !wide ? `let ${x}Left = rest(${line(0)}, ${lines});` : ""}`,
    advance: perLoad(tile, x, (n) => `${x}At${n} += ${x}Step;`),
  };
}
