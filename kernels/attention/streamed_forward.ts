import { full } from "../../device/element.ts";
import type { Kernel } from "../../device/kernel.ts";
import { acrossColumns, scoreRows, storeSquare, type StreamShape, toSums } from "./squares.ts";
import {
  addProduct,
  columnsInside,
  declareSums,
  eachSum,
  rowType,
  squareProduct,
  storeSums,
  STREAMED,
  streamedKernel,
} from "./tiles.ts";

/** Below all scores. */
const LOWEST = "-3.4e38";

/** Streamed attention; see streamed.ts. */
export function forwardKernel(shape: StreamShape): Kernel {
  const { q, k, v } = STREAMED;
  const rows = scoreRows(shape);
  const each = (text: (r: number) => string) => rows.map(text).join("\n    ");
  const highest = (r: number) => `max(max(s${r}.x, s${r}.y), max(s${r}.z, s${r}.w))`;
  // The output has the queries' rows and the values' columns.
  const y = { name: "y", lines: "queries", depth: "valueDepth" } as const;
  return streamedKernel(shape, {
    name: "forward",
    inputs: [q, k, v],
    bindings: {
      y: { type: rowType(shape), access: "write" },
      rows: { type: full(2), access: "write" },
    },
    body: `let yRow = valuesRow;
  let yStart = batch * params.queries * yRow + head * params.valueDepth;
  ${each((r) => `var top${r} = f32(${LOWEST}); var total${r} = 0.0;`)}
  ${declareSums(shape, "c", v)}
  for (var column = 0u; column < params.keys; column += ${shape.columns}u) {
    ${squareProduct(shape, "s", q, k)}
    let inside = ${columnsInside("keys")};
    ${
      each((r) =>
        `s${r} = select(vec4f(${LOWEST}), params.scale * s${r}, inside); var before${r} = top${r};`
      )
    }
    ${acrossColumns(shape, "top", highest, (a, b) => `max(${a}, ${b})`)}
    ${each((r) => `let shrink${r} = exp(before${r} - top${r});`)}
    ${toSums(shape, "factor", (r) => `shrink${r}`)}
    ${eachSum(shape, "c", v, (sum, i) => `${sum} *= factor${i};`)}
    ${
      each((r) =>
        `s${r} = exp(s${r} - top${r}); total${r} = total${r} * shrink${r} + dot(s${r}, vec4f(1));`
      )
    }
    ${storeSquare(shape, (r) => `s${r}`)}
    ${addProduct(shape, "c", v)}
  }
  ${each((r) => `var all${r} = 0.0;`)}
  ${acrossColumns(shape, "all", (r) => `total${r}`, (a, b) => `${a} + ${b}`)}
  ${toSums(shape, "share", (r) => `1.0 / all${r}`)}
  ${storeSums(shape, "c", y, "y", (i) => `share${i}`)}
  ${
      each((r) =>
        `if (sx == 0u && scoreRow + ${r}u < params.queries) {
    rows[rowOf(scoreRow + ${r}u, batch, head)] = vec2f(top${r}, all${r});
  }`
      )
    }`,
  });
}
