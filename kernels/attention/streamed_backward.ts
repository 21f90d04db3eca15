/**
 * Kernels of the gradients of streamed attention; see attention_streamed.ts. Both make squares of
 *
 *     P_ij = exp(scale q_i k_j - top_i) / total_i,   dS_ij = scale P_ij (dy_i v_j - dots_i)
 *
 * again, one with queries as rows and one with keys.
 *
 * @module
 */
import { full } from "../../device/element.ts";
import type { BindingSpec, Kernel } from "../../device/kernel.ts";
import {
  addProduct,
  columnOf,
  columnsOf,
  declareSums,
  rowType,
  SIDE,
  squareAt,
  squareProduct,
  storeSums,
  STREAMED,
  streamedKernel,
  type StreamShape,
} from "./tiles.ts";

const ROWS: BindingSpec = { type: full(2), access: "read" };
const DOTS: BindingSpec = { type: full(1), access: "read" };

/** dQ: `dS K`. */
export function gradientOfQueriesKernel(shape: StreamShape): Kernel {
  const { q, k, v, dy } = STREAMED;
  const lines = [0, 1, 2, 3];
  const four = (text: (i: number) => string) => `vec4f(${lines.map(text).join(", ")})`;
  return streamedKernel(shape, {
    name: "dq",
    inputs: [q, k, v, dy],
    bindings: { rows: ROWS, dots: DOTS, dq: { type: rowType(shape), access: "write" } },
    body: `${
      lines.map((i) => `let at${i} = rowOf(row + 4u * ty + ${i}u, batch, head);`).join("\n  ")
    }
  let top = ${four((i) => `rows[at${i}].x`)};
  let total = ${four((i) => `rows[at${i}].y`)};
  let dot_ = ${four((i) => `dots[at${i}]`)};
  ${declareSums(shape, "c", k)}
  for (var column = 0u; column < params.keys; column += ${SIDE}u) {
    ${squareProduct(shape, "s", q, k)}
    ${squareProduct(shape, "g", dy, v)}
    ${
      columnsOf(shape).map((c) =>
        `{
      let p = exp(params.scale * s${c} - top) / total;
      let ds = params.scale * p * (g${c} - dot_);
      ${squareAt(columnOf(shape, c))} = select(vec4f(), ds, column + ${
          columnOf(shape, c)
        } < params.keys);
    }`
      ).join("\n    ")
    }
    workgroupBarrier();
    ${addProduct(shape, "c", k)}
  }
  ${storeSums(shape, "c", q, "dq")}`,
  });
}

/** dV: `P^T dY`, and dK: `dS^T Q`; either or both. */
export function gradientOfKeysKernel(
  shape: StreamShape,
  wanted: { readonly dk: boolean; readonly dv: boolean },
): Kernel {
  const { q, k, v, dy } = STREAMED;
  const columns = columnsOf(shape);
  const bindings: Record<string, BindingSpec> = { rows: ROWS };
  if (wanted.dk) {
    Object.assign(bindings, { dots: DOTS, dk: { type: rowType(shape), access: "write" } });
  }
  if (wanted.dv) bindings.dv = { type: rowType(shape), access: "write" };
  const intoSquare = (value: (c: number) => string) =>
    columns.map((c) =>
      `${squareAt(columnOf(shape, c))} = select(vec4f(), ${value(c)}, column + ${
        columnOf(shape, c)
      } < params.queries);`
    ).join("\n    ");
  const addValues = `${intoSquare((c) => `p${c}`)}
    workgroupBarrier();
    ${addProduct(shape, "e", dy)}`;
  const addKeys = `workgroupBarrier();
    ${intoSquare((c) => `params.scale * p${c} * (g${c} - dots[at${c}])`)}
    workgroupBarrier();
    ${addProduct(shape, "c", q)}`;
  return streamedKernel(shape, {
    name: `${wanted.dk ? "dk" : ""}${wanted.dv ? "dv" : ""}`,
    inputs: wanted.dk ? [q, k, v, dy] : [q, k, dy],
    bindings,
    body: `${wanted.dk ? declareSums(shape, "c", q) : ""}
  ${wanted.dv ? declareSums(shape, "e", dy) : ""}
  for (var column = 0u; column < params.queries; column += ${SIDE}u) {
    ${squareProduct(shape, "s", k, q)}
    ${wanted.dk ? squareProduct(shape, "g", v, dy) : ""}
    ${
      columns.map((c) =>
        `let at${c} = rowOf(column + ${columnOf(shape, c)}, batch, head);
    let row${c} = rows[at${c}];
    let p${c} = exp(params.scale * s${c} - row${c}.x) / row${c}.y;`
      ).join("\n    ")
    }
    ${wanted.dv ? addValues : ""}
    ${wanted.dk ? addKeys : ""}
  }
  ${wanted.dk ? storeSums(shape, "c", k, "dk") : ""}
  ${wanted.dv ? storeSums(shape, "e", v, "dv") : ""}`,
  });
}
