/**
 * Kernels of the gradients of streamed attention; see streamed.ts. Both make squares of
 *
 *     P_ij = exp(scale q_i k_j - top_i) / total_i,   dS_ij = scale P_ij (dy_i v_j - dots_i)
 *
 * again, one with queries as rows and one with keys.
 *
 * @module
 */
import { full } from "../../device/element.ts";
import type { BindingSpec, Kernel } from "../../device/kernel.ts";
import { scoreRows, storeSquare, type StreamShape, withoutRow } from "./squares.ts";
import {
  addProduct,
  columnsInside,
  declareSums,
  rowType,
  squareProduct,
  storeSums,
  STREAMED,
  streamedKernel,
} from "./tiles.ts";

const ROWS: BindingSpec = { type: full(2), access: "read" };
const DOTS: BindingSpec = { type: full(1), access: "read" };

/** dQ: `dS K`. */
export function gradientOfQueriesKernel(shape: StreamShape): Kernel {
  const { q, k, v, dy } = STREAMED;
  const each = (text: (r: number) => string) => scoreRows(shape).map(text).join("\n    ");
  return streamedKernel(shape, {
    name: "dq",
    inputs: [q, k, v, dy],
    bindings: { rows: ROWS, dots: DOTS, dq: { type: rowType(shape), access: "write" } },
    body: `${declareSums(shape, "c", k)}
  for (var column = 0u; column < params.keys; column += ${shape.columns}u) {
    ${squareProduct(shape, "s", q, k)}
    let inside = ${columnsInside("keys")};
    ${
      each((r) =>
        `let at${r} = rowOf(scoreRow + ${r}u, batch, head);
    let kept${r} = rows[at${r}];
    s${r} = select(vec4f(), exp(params.scale * s${r} - kept${r}.x) / kept${r}.y, inside);`
      )
    }
    ${squareProduct(shape, "g", dy, v, (r) => `vec4f(-dots[at${r}])`)}
    ${storeSquare(shape, (r) => `params.scale * s${r} * g${r}`)}
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
  const bindings: Record<string, BindingSpec> = { rows: ROWS };
  if (wanted.dk) {
    Object.assign(bindings, { dots: DOTS, dk: { type: rowType(shape), access: "write" } });
  }
  if (wanted.dv) bindings.dv = { type: rowType(shape), access: "write" };
  const four = (text: (c: number) => string) => `vec4f(${[0, 1, 2, 3].map(text).join(", ")})`;
  const addValues = `${storeSquare(shape, (r) => `s${r}`)}
    ${addProduct(shape, "e", dy)}`;
  const addKeys = `let dot_ = ${four((c) => `dots[at${c}]`)};
    ${withoutRow(shape, "s0", squareProduct(shape, "g", v, dy, () => "-dot_"))}
    { ${storeSquare(shape, (r) => `params.scale * s${r} * g${r}`)} }
    ${addProduct(shape, "c", q)}`;
  return streamedKernel(shape, {
    name: `${wanted.dk ? "dk" : ""}${wanted.dv ? "dv" : ""}`,
    inputs: wanted.dk ? [q, k, v, dy] : [q, k, dy],
    bindings,
    body: `${wanted.dk ? declareSums(shape, "c", q) : ""}
  ${wanted.dv ? declareSums(shape, "e", dy) : ""}
  for (var column = 0u; column < params.queries; column += ${shape.columns}u) {
    ${squareProduct(shape, "s", k, q)}
    ${
      [0, 1, 2, 3].map((c) =>
        `let at${c} = rowOf(column + 4u * sx + ${c}u, batch, head);
    let kept${c} = rows[at${c}];`
      ).join("\n    ")
    }
    let top = ${four((c) => `kept${c}.x`)};
    let total = ${four((c) => `kept${c}.y`)};
    let inside = ${columnsInside("queries")};
    ${
      scoreRows(shape).map((r) =>
        `s${r} = select(vec4f(), exp(params.scale * s${r} - top) / total, inside);`
      ).join("\n    ")
    }
    ${wanted.dv ? addValues : ""}
    ${wanted.dk ? addKeys : ""}
  }
  ${wanted.dk ? storeSums(shape, "c", k, "dk") : ""}
  ${wanted.dv ? storeSums(shape, "e", v, "dv") : ""}`,
  });
}
