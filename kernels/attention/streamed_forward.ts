import { full } from "../../device/element.ts";
import type { Kernel } from "../../device/kernel.ts";
import {
  addProduct,
  columnOf,
  columnsOf,
  declareSums,
  eachSum,
  rowType,
  SIDE,
  squareAt,
  squareProduct,
  storeSums,
  STREAMED,
  streamedKernel,
  type StreamShape,
} from "./tiles.ts";

/** Below all scores. */
const LOWEST = "-3.4e38";

/** Streamed attention; see attention_streamed.ts. */
export function forwardKernel(shape: StreamShape): Kernel {
  const { q, k, v } = STREAMED;
  const columns = columnsOf(shape);
  const each = (text: (c: number) => string) => columns.map(text).join("\n    ");
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
  var top = vec4f(${LOWEST});
  var total = vec4f();
  ${declareSums(shape, "c", v)}
  for (var column = 0u; column < params.keys; column += ${SIDE}u) {
    ${squareProduct(shape, "s", q, k)}
    var best = vec4f(${LOWEST});
    ${
      each((c) =>
        `s${c} = select(vec4f(${LOWEST}), params.scale * s${c}, column + ${
          columnOf(shape, c)
        } < params.keys);
    best = max(best, s${c});`
      )
    }
    ${squareAt("tx")} = best;
    workgroupBarrier();
    var highest = top;
    for (var i = 0u; i < ${shape.lanes}u; i++) { highest = max(highest, ${squareAt("i")}); }
    let shrink = exp(top - highest);
    top = highest;
    total *= shrink;
    ${eachSum(shape, "c", v, (sum, i) => `${sum} *= shrink[${i}];`)}
    workgroupBarrier();
    ${each((c) => `${squareAt(columnOf(shape, c))} = exp(s${c} - top);`)}
    workgroupBarrier();
    ${addProduct(shape, "c", v, "total += weight;")}
  }
  let share = 1.0 / total;
  ${storeSums(shape, "c", y, "y", "share")}
  for (var i = 0u; i < 4u; i++) {
    let query = row + 4u * ty + i;
    if (tx == 0u && query < params.queries) {
      rows[rowOf(query, batch, head)] = vec2f(top[i], total[i]);
    }
  }`,
  });
}
