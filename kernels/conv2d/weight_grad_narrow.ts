/**
 * The weight gradient where one side has few channels: the first and the last convolution of a network.
 * Taps times the few channels are the columns, one a lane; the many channels are the rows, and the
 * images that hold them are walked through pixel by pixel while each lane gathers what its tap pairs
 * with that pixel from the narrow images. The last workgroups of a part sum dy, for the bias.
 *
 * @module
 */
import { full } from "../../device/element.ts";
import type { Kernel } from "../../device/kernel.ts";
import {
  chooseTile,
  declareAccumulators,
  declareColumns,
  directB,
  type GemmTile,
  type Lanes,
  multiplyAdd,
  perLoadOfA,
  rowsLoad,
  storeTile,
} from "../shared/gemm.ts";
import { type Conv2dShape, shapeTypes } from "./shape.ts";

/** Channels below which a side counts as narrow. */
const NARROW = 8;

/** How a narrow weight gradient is computed. */
export interface NarrowVariant {
  /** The images that are walked through, which have the many channels. */
  readonly scans: "x" | "dy";
  readonly tile: GemmTile;
}

/** The variant for a shape, or undefined where neither side is narrow or the other is no multiple of 4. */
export function chooseNarrow(gpu: Lanes, { ci, co, kh, kw }: Conv2dShape) {
  const [few, many] = ci < co ? [ci, co] : [co, ci];
  if (few >= NARROW || many % 4 !== 0) return undefined;
  const tile = chooseTile(gpu, many, kh * kw * few, 1);
  return tile && { scans: ci < co ? "dy" : "x", tile } satisfies NarrowVariant;
}

/** The kernel of a variant; `out` is `[parts, kh kw ci + 1, co]`, of which the last row is the bias's. */
export function narrowKernel({ scans, tile }: NarrowVariant, stride: number): Kernel {
  const fromX = scans === "x";
  const [height, width, many] = fromX ? ["h", "w", "ci"] : ["oh", "ow", "co"];
  const [otherHeight, otherWidth, few] = fromX ? ["oh", "ow", "co"] : ["h", "w", "ci"];
  const [scanned, gathered] = fromX ? ["x", "dy"] : ["dy", "x"];
  // The coordinate that a tap pairs with `at`; -1 where there is none.
  const partner = fromX
    ? `let scaled = i32(at + pad) - i32(tap);
  let other = scaled${stride === 1 ? "" : ` / ${stride}`};
  return select(-1, other, scaled >= 0 && other * ${stride} == scaled && other < i32(size));`
    : `let other = i32(at * ${stride}u + tap) - i32(pad);
  return select(-1, other, other < i32(size));`;
  return {
    name: `conv2d.weight.narrow${tile.rows}${tile.direct ? ".direct" : ""}.${scans}${
      stride === 1 ? "" : `.stride${stride}`
    }`,
    bindings: {
      x: { type: full(fromX ? 4 : 1), access: "read" },
      dy: { type: full(fromX ? 1 : 4), access: "read" },
      out: { type: full(1), access: "write" },
    },
    params: { ...shapeTypes(false), linesPerPart: "u32", dyLinesPerPart: "u32" },
    workgroupSize: [tile.lanes, 1, 1],
    subgroups: true,
    wgsl: `
fn partner(at: u32, tap: u32, pad: u32, size: u32) -> i32 {
  ${partner}
}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) groups: vec3u,
        @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let weights = params.kh * params.kw * params.ci;
  let sums = group.z * (weights + 1u) * params.co;
  if (group.y == groups.y - 1u) {
    ${biasSums(fromX ? 1 : 4, tile.lanes)}
    return;
  }
  let columns = params.kh * params.kw * params.${few};
  ${declareColumns(tile, `group.x * ${tile.lanes}u`)}
  let tap = safe0 / params.${few};
  let channel = safe0 % params.${few};
  let ky = tap / params.kw;
  let kx = tap % params.kw;
  let row = group.y * ${tile.rows}u;
  let depth = params.${many} / 4u;
  ${
      perLoadOfA(tile, (i) => {
        const { k, quad } = rowsLoad(tile, i);
        return `let k${i} = ${k};
  let quad${i} = min(row / 4u + ${quad}, depth - 1u);`;
      })
    }
  ${declareAccumulators(tile)}
  let first = group.z * params.linesPerPart;
  let end = min(first + params.linesPerPart, params.n * params.${height});
  var image = first / params.${height};
  var y = first % params.${height};
  for (var line = first; line < end; line++) {
    let oy = partner(y, ky, params.py, params.${otherHeight});
    let inLine = oy >= 0;
    let otherLine = (image * params.${otherHeight} + u32(max(oy, 0))) * params.${otherWidth};
    for (var at = 0u; at < params.${width}; at += 4u) {
      ${
      perLoadOfA(tile, (i) =>
        `let in${i} = at + k${i} < params.${width};
      let a${i} = select(vec4f(), ${scanned}[select(0u, (line * params.${width} + at + k${i}) * depth + quad${i}, in${i})], in${i});`)
    }
      ${
      [0, 1, 2, 3].map((q) =>
        `let ox${q} = partner(at + ${q}u, kx, params.px, params.${otherWidth});
      let ok${q} = inLine && ox${q} >= 0;`
      ).join("\n")
    }
      ${
      directB(tile, (q) =>
        `select(0.0, ${gathered}[select(0u, (otherLine + u32(ox${q})) * params.${few} + channel, ok${q})], ok${q})`)
    }
      ${multiplyAdd(tile, "rows")}
    }
    y++;
    if (y == params.${height}) {
      y = 0u;
      image++;
    }
  }
  let start = sums${
      fromX ? " + (tap * params.ci + row) * params.co + channel" : " + column0 * params.co + row"
    };
  let rows = params.${many} - row;
  ${storeTile(tile, (row, value) => `out[start + ${row}${fromX ? " * params.co" : ""}] = ${value}`)}
}`,
  };
}

/** WGSL: sums a part of dy, whose channels the lanes of a row of workgroups share out. */
function biasSums(width: 1 | 4, lanes: number): string {
  const type = full(width);
  const store = width === 1
    ? "out[at] = sum;"
    : [0, 1, 2, 3].map((i) => `out[4u * at + ${i}u] = sum[${i}];`).join(" ");
  return `let quads = params.co / ${width}u;
    let firstLine = group.z * params.dyLinesPerPart;
    let endLine = min(firstLine + params.dyLinesPerPart, params.n * params.oh);
    for (var c = group.x * ${lanes}u + lane; c < quads; c += groups.x * ${lanes}u) {
      var sum = ${type}();
      for (var line = firstLine; line < endLine; line++) {
        // Lines are summed apart, which keeps round-off small.
        var ofLine = ${type}();
        for (var p = line * params.ow; p < (line + 1u) * params.ow; p++) { ofLine += dy[p * quads + c]; }
        sum += ofLine;
      }
      let at = (sums + weights * params.co) / ${width}u + c;
      ${store}
    }`;
}
