/**
 * Convolution as an implicit matrix product over gathered pixels; the forward pass and the gradient
 * with respect to the input are the same sum with other indices:
 *
 *     forward:  y[n, oy, ox, co] = sum x[n, oy s + ky - py, ox s + kx - px, ci] w[ky, kx, ci, co]
 *     input:   dx[n, iy, ix, ci] = sum dy[n, (iy + py - ky) / s, (ix + px - kx) / s, co] w[ky, kx, ci, co]
 *
 * where terms outside the image, or with a remainder, are zero. A row of the product is a pixel, k runs
 * over taps and channels. The epilogue adds bias, a vector an image (time embedding) and a residual.
 *
 * Variants: `sub` (see gemm.ts) for channels in multiples of four, `plain` everywhere.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { BindingSpec, Kernel } from "../../device/kernel.ts";
import type { TensorRef } from "../../device/tensor.ts";
import {
  chooseTile,
  declareAccumulators,
  forEachRow,
  type GemmTile,
  loadsOfA,
  multiplyAdd,
  transposedB,
  vectorType,
} from "../gemm.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../grid.ts";
import { type Conv2dShape, SHAPE_PARAMS } from "./shape.ts";

/** Which of the two sums is computed. */
export type GatherMode = "forward" | "input";

/** What the epilogue adds. */
export interface Epilogue {
  /** `[co]` */
  readonly bias?: TensorRef | undefined;
  /** `[n, co]` */
  readonly perImage?: TensorRef | undefined;
  /** The output's shape. */
  readonly residual?: TensorRef | undefined;
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
  shape: Conv2dShape,
  epilogue: Epilogue,
  label: string,
): TensorRef {
  const { n, h, w, ci, co, oh, ow } = shape;
  const [rows, depth, columns] = mode === "forward" ? [n * oh * ow, ci, co] : [n * h * w, co, ci];
  const out = capture.transient(mode === "forward" ? [n, oh, ow, co] : [n, h, w, ci], label);
  const bindings: Record<string, TensorRef> = { source, weight, out };
  const added: string[] = [];
  for (const [name, tensor] of Object.entries<TensorRef | undefined>({ ...epilogue })) {
    if (!tensor) continue;
    bindings[name] = tensor;
    added.push(name);
  }
  const lanes = capture.gpu.subgroupSize;
  const tile = lanes && depth % 4 === 0 ? chooseTile(lanes, rows, columns) : undefined;
  if (tile && columns % tile.width === 0 && Math.ceil(rows / tile.rows) <= 65535) {
    capture.dispatch({
      kernel: subgroupKernel(mode, tile, added),
      bindings,
      params: { ...shape },
      workgroups: [Math.ceil(columns / (tile.lanes * tile.width)), Math.ceil(rows / tile.rows), 1],
    });
  } else {
    capture.dispatch({
      kernel: plainKernel(mode, added),
      bindings,
      params: { ...shape },
      workgroups: flatGrid(rows * columns, STREAM_WORKGROUP),
    });
  }
  return out;
}

/** WGSL names of the sizes of one mode. */
function names(mode: GatherMode) {
  return mode === "forward"
    ? { height: "oh", width: "ow", columns: "co", depth: "ci", sh: "h", sw: "w" }
    : { height: "h", width: "w", columns: "ci", depth: "co", sh: "oh", sw: "ow" };
}

/**
 * WGSL: `sourceOf(position, tap, pad, size)`, the source coordinate that a tap reads along one axis,
 * or -1 where it reads a zero.
 */
function sourceFunction(mode: GatherMode): string {
  const body = mode === "forward"
    ? `let at = i32(position * params.stride + tap) - i32(pad);
  return select(-1, at, at < i32(size));`
    : `let scaled = i32(position + pad) - i32(tap);
  let at = scaled / i32(params.stride);
  return select(-1, at, scaled >= 0 && at * i32(params.stride) == scaled && at < i32(size));`;
  return `fn sourceOf(position: u32, tap: u32, pad: u32, size: u32) -> i32 {\n  ${body}\n}\n`;
}

function epilogueTerms(added: readonly string[], image: string, column: string, at: string) {
  const terms: Record<string, string> = {
    bias: `bias[${column}]`,
    perImage: `perImage[${image} * columns + ${column}]`,
    residual: `residual[${at}]`,
  };
  return added.map((name) => ` + ${terms[name]}`).join("");
}

function kernelBindings(
  mode: GatherMode,
  added: readonly string[],
  wide: BindingSpec["type"],
  vector: BindingSpec["type"],
): Record<string, BindingSpec> {
  const bindings: Record<string, BindingSpec> = {
    source: { type: wide, access: "read" },
    weight: { type: mode === "forward" ? vector : wide, access: "read" },
    out: { type: vector, access: "write" },
  };
  for (const name of added) bindings[name] = { type: vector, access: "read" };
  return bindings;
}

function subgroupKernel(mode: GatherMode, tile: GemmTile, added: readonly string[]): Kernel {
  const vector = vectorType(tile.width);
  const size = names(mode);
  const loads = [...Array(loadsOfA(tile)).keys()];
  const perLoad = (text: (i: number) => string) => loads.map(text).join("\n");
  // Forward: weight[tap, k, column]. Input gradient: weight[tap, column, k], transposed when loaded.
  const loadB = mode === "forward"
    ? [0, 1, 2, 3].map((q) => `let b${q} = weight[wt + ${q}u * columns];`).join("\n") +
      "\nwt += 4u * columns;"
    : transposedB(tile, (j) => `weight[wt + ${j}u * depth]`) + "\nwt++;";
  const startB = mode === "forward"
    ? "var wt = tap * depth * 4u * columns + safeColumn;"
    : `var wt = (tap * columns + safeColumn) * ${tile.width}u * depth;`;
  const pixels = `params.n * params.${size.height} * params.${size.width}`;
  return {
    name: `conv2d.${mode}.sub${tile.rows}x${tile.width}${added.map((name) => `+${name}`).join("")}`,
    bindings: kernelBindings(mode, added, "vec4f", vector),
    params: SHAPE_PARAMS,
    workgroupSize: [tile.lanes, 1, 1],
    subgroups: true,
    wgsl: `${sourceFunction(mode)}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(local_invocation_id) local: vec3u) {
  let lane = local.x;
  let row = group.y * ${tile.rows}u;
  let column = group.x * ${tile.lanes}u + lane;
  let columns = params.${size.columns} / ${tile.width}u;
  let safeColumn = min(column, columns - 1u);
  let depth = params.${size.depth} / 4u;
  let pixels = ${pixels};
  // Each lane loads one pixel of A a load; pixels beyond the last are clamped and never stored.
  ${
      perLoad((i) =>
        `let p${i} = min(row + ${i * tile.lanes}u + lane, pixels - 1u);
  let px${i} = p${i} % params.${size.width};
  let py${i} = p${i} / params.${size.width} % params.${size.height};
  let pn${i} = p${i} / (params.${size.width} * params.${size.height}) * params.${size.sh};`
      )
    }
  ${declareAccumulators(tile)}
  for (var tap = 0u; tap < params.kh * params.kw; tap++) {
    ${
      perLoad((i) =>
        `let sy${i} = sourceOf(py${i}, tap / params.kw, params.py, params.${size.sh});
    let sx${i} = sourceOf(px${i}, tap % params.kw, params.px, params.${size.sw});
    let in${i} = sy${i} >= 0 && sx${i} >= 0;
    let at${i} = select(0u, ((pn${i} + u32(sy${i})) * params.${size.sw} + u32(sx${i})) * depth, in${i});`
      )
    }
    ${startB}
    for (var k = 0u; k < depth; k++) {
      ${perLoad((i) => `let a${i} = select(vec4f(), source[at${i} + k], in${i});`)}
      ${loadB}
      ${multiplyAdd(tile, "k")}
    }
  }
  if (column >= columns) { return; }
  let rows = pixels - row;
  let image = params.${size.width} * params.${size.height};
  let start = row * columns + column;
  ${
      forEachRow(tile, (i) =>
        `if (${i}u < rows) { out[start + ${i}u * columns] = c${i}${
          epilogueTerms(added, `(row + ${i}u) / image`, "column", `start + ${i}u * columns`)
        }; }`)
    }
}`,
  };
}

function plainKernel(mode: GatherMode, added: readonly string[]): Kernel {
  const size = names(mode);
  const weightAt = mode === "forward"
    ? "(tap * depth + k) * columns + column"
    : "(tap * columns + column) * depth + k";
  return {
    name: `conv2d.${mode}.plain${added.map((name) => `+${name}`).join("")}`,
    bindings: kernelBindings(mode, added, "f32", "f32"),
    params: SHAPE_PARAMS,
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}${sourceFunction(mode)}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let item = flatInvocation(global, groups);
  let columns = params.${size.columns};
  let depth = params.${size.depth};
  let pixel = item / columns;
  if (pixel >= params.n * params.${size.height} * params.${size.width}) { return; }
  let column = item % columns;
  let px = pixel % params.${size.width};
  let py = pixel / params.${size.width} % params.${size.height};
  let image = pixel / (params.${size.width} * params.${size.height});
  var sum = 0.0;
  for (var tap = 0u; tap < params.kh * params.kw; tap++) {
    let sy = sourceOf(py, tap / params.kw, params.py, params.${size.sh});
    let sx = sourceOf(px, tap % params.kw, params.px, params.${size.sw});
    if (sy < 0 || sx < 0) { continue; }
    let at = ((image * params.${size.sh} + u32(sy)) * params.${size.sw} + u32(sx)) * depth;
    for (var k = 0u; k < depth; k++) { sum += source[at + k] * weight[${weightAt}]; }
  }
  out[item] = sum${epilogueTerms(added, "image", "column", "item")};
}`,
  };
}
