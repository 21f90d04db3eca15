/**
 * A linear layer with a matrix and a bias for each bin of noise levels:
 *
 *     y[n] = x[n] W[b] + v[b],   b = floor(level[n] bins / levels)
 *     dx[n] = dy[n] W[b]^T,   dW[b] = sum x[n]^T dy[n],   dv[b] = sum dy[n],   over the n of bin b
 *
 * The images of each bin are listed first, so that an invocation reads a matrix once for several of
 * them, and a gradient goes over the images of its bin alone, in their order.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** Images, or rows of a gradient, that an invocation makes from one read of what they share. */
const SHARED = 4;

/** A line of WGSL for each of them. */
function each(line: (index: number) => string): string {
  return Array.from({ length: SHARED }, (_, index) => line(index)).join("\n");
}

/** Operands. */
export interface BinnedLinear {
  /** `[N, in]` */
  readonly x: TensorRef;
  /** `[bins, in, out]` */
  readonly weight: TensorRef;
  /** `[bins, out]` */
  readonly bias: TensorRef;
  /** u32 `[N]`, each below `levels`. */
  readonly level: TensorRef;
  /** Levels that the bins share out. */
  readonly levels: number;
}

/**
 * `y[n] = x[n] W[b] + v[b]`, `[N, out]`.
 *
 * @throws {RangeError} When the sizes do not fit.
 * @throws {TypeError} When levels are not counted.
 */
export function binnedLinearForward(capture: Capture, operands: BinnedLinear): TensorRef {
  const { x, weight, bias } = operands;
  const sizes = sizesOf(operands);
  const members = listMembers(capture, operands);
  const y = capture.transient([sizes.n, sizes.outputs], "binned linear", x.dtype);
  const pack = sizes.outputs % 4 === 0 ? 4 : 1, type = full(pack);
  const items = sizes.bins * Math.ceil(sizes.n / SHARED) * sizes.outputs / pack;
  capture.dispatch({
    kernel: defineKernel({
      name: `binnedLinear.${type}`,
      bindings: {
        x: { type: full(1), access: "read" },
        weight: { type, access: "read" },
        bias: { type, access: "read" },
        members: { type: elementOf("u32", 1), access: "read" },
        y: { type, access: "write" },
      },
      params: PARAMS,
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${MAIN}
  let j = item % params.outputs;
  let blocks = (params.images + ${SHARED - 1}u) / ${SHARED}u;
  let b = item / params.outputs / blocks;
  let first = item / params.outputs % blocks * ${SHARED}u;
  let row = b * (params.images + 1u);
  let count = members[row];
  if (first >= count) { return; }
  let start = bias[b * params.outputs + j];
${each((r) => `  let n${r} = members[row + 1u + min(first + ${r}u, count - 1u)];`)}
${each((r) => `  var sum${r} = start;`)}
  for (var i = 0u; i < params.inputs; i++) {
    let w = weight[(b * params.inputs + i) * params.outputs + j];
${each((r) => `    sum${r} += x[n${r} * params.inputs + i] * w;`)}
  }
${each((r) => `  if (first + ${r}u < count) { y[n${r} * params.outputs + j] = sum${r}; }`)}
}`,
    }),
    bindings: { x, weight, bias, members, y },
    params: params(sizes, operands, items, pack),
    workgroups: flatGrid(items, STREAM_WORKGROUP),
    multiplyAdds: sizes.n * sizes.inputs * sizes.outputs,
  });
  return y;
}

/** Gradient with respect to `x`. */
export function binnedLinearInputGrad(
  capture: Capture,
  operands: BinnedLinear,
  dy: TensorRef,
): TensorRef {
  const { x, weight, level } = operands;
  const sizes = sizesOf(operands);
  const dx = capture.transient(x.shape, "binned linear dx", x.dtype);
  const pack = sizes.outputs % 4 === 0 ? 4 : 1, type = full(pack);
  const items = sizeOf(dx.shape);
  capture.dispatch({
    kernel: defineKernel({
      name: `binnedLinearInputGrad.${type}`,
      bindings: {
        dy: { type, access: "read" },
        weight: { type, access: "read" },
        level: { type: elementOf("u32", 1), access: "read" },
        dx: { type: full(1), access: "write" },
      },
      params: PARAMS,
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${BIN_OF}${MAIN}
  let n = item / params.inputs;
  let row = (binOf(n) * params.inputs + item % params.inputs) * params.outputs;
  var sum = ${type}(0.0);
  for (var j = 0u; j < params.outputs; j++) {
    sum += dy[n * params.outputs + j] * weight[row + j];
  }
  dx[item] = ${pack === 4 ? "(sum.x + sum.y) + (sum.z + sum.w)" : "sum"};
}`,
    }),
    bindings: { dy, weight, level, dx },
    params: params(sizes, operands, items, pack),
    workgroups: flatGrid(items, STREAM_WORKGROUP),
    multiplyAdds: sizes.n * sizes.inputs * sizes.outputs,
  });
  return dx;
}

/** Gradients with respect to weight and bias. */
export function binnedLinearWeightGrads(
  capture: Capture,
  operands: BinnedLinear,
  dy: TensorRef,
): { readonly dweight: TensorRef; readonly dbias: TensorRef } {
  const { x, weight, bias } = operands;
  const sizes = sizesOf(operands);
  const dweight = capture.transient(weight.shape, "binned linear dweight");
  const dbias = capture.transient(bias.shape, "binned linear dbias");
  const members = listMembers(capture, operands);
  const pack = sizes.outputs % 4 === 0 ? 4 : 1, type = full(pack);
  const shared = {
    params: PARAMS,
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
  } as const;
  const blocks = Math.ceil(sizes.inputs / SHARED);
  const items = sizes.bins * blocks * sizes.outputs / pack;
  capture.dispatch({
    kernel: defineKernel({
      name: `binnedLinearWeightGrad.${type}`,
      bindings: {
        x: { type: full(1), access: "read" },
        dy: { type, access: "read" },
        members: { type: elementOf("u32", 1), access: "read" },
        dweight: { type, access: "write" },
      },
      ...shared,
      wgsl: `${MAIN}
  let j = item % params.outputs;
  let blocks = (params.inputs + ${SHARED - 1}u) / ${SHARED}u;
  let b = item / params.outputs / blocks;
  let i = item / params.outputs % blocks * ${SHARED}u;
  let first = b * (params.images + 1u) + 1u;
  let end = first + members[first - 1u];
${each((r) => `  let i${r} = min(i + ${r}u, params.inputs - 1u);`)}
${each((r) => `  var sum${r} = ${type}(0.0);`)}
  for (var at = first; at < end; at++) {
    let n = members[at];
    let d = dy[n * params.outputs + j];
${each((r) => `    sum${r} += x[n * params.inputs + i${r}] * d;`)}
  }
  // Beyond the last row it is written again, with the same sum.
${each((r) => `  dweight[(b * params.inputs + i${r}) * params.outputs + j] = sum${r};`)}
}`,
    }),
    bindings: { x, dy, members, dweight },
    params: params(sizes, operands, items, pack),
    workgroups: flatGrid(items, STREAM_WORKGROUP),
    multiplyAdds: sizes.n * sizes.inputs * sizes.outputs,
  });
  const sums = sizeOf(bias.shape) / pack;
  capture.dispatch({
    kernel: defineKernel({
      name: `binnedLinearBiasGrad.${type}`,
      bindings: {
        dy: { type, access: "read" },
        members: { type: elementOf("u32", 1), access: "read" },
        dbias: { type, access: "write" },
      },
      ...shared,
      wgsl: `${MAIN}
  let j = item % params.outputs;
  let first = item / params.outputs * (params.images + 1u) + 1u;
  let end = first + members[first - 1u];
  var sum = ${type}(0.0);
  for (var at = first; at < end; at++) { sum += dy[members[at] * params.outputs + j]; }
  dbias[item] = sum;
}`,
    }),
    bindings: { dy, members, dbias },
    params: params(sizes, operands, sums, pack),
    workgroups: flatGrid(sums, STREAM_WORKGROUP),
  });
  return { dweight, dbias };
}

/** The images of each bin, u32 `[bins, 1 + N]`: their number, then their indices from the first on. */
function listMembers(capture: Capture, operands: BinnedLinear): TensorRef {
  const { level } = operands;
  const sizes = sizesOf(operands);
  const members = capture.transient([sizes.bins, 1 + sizes.n], "images of each bin", "u32");
  capture.dispatch({
    kernel: defineKernel({
      name: "binMembers",
      bindings: {
        level: { type: elementOf("u32", 1), access: "read" },
        members: { type: elementOf("u32", 1), access: "write" },
      },
      params: PARAMS,
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${BIN_OF}${MAIN}
  let row = item * (params.images + 1u);
  var count = 0u;
  for (var n = 0u; n < params.images; n++) {
    if (binOf(n) != item) { continue; }
    count++;
    members[row + count] = n;
  }
  members[row] = count;
}`,
    }),
    bindings: { level, members },
    params: params(sizes, operands, sizes.bins, 1),
    workgroups: flatGrid(sizes.bins, STREAM_WORKGROUP),
  });
  return members;
}

const PARAMS = {
  items: "u32",
  images: "u32",
  inputs: "u32",
  outputs: "u32",
  bins: "u32",
  levels: "u32",
} as const;

/** Bin of an image's level. */
const BIN_OF =
  "fn binOf(n: u32) -> u32 { return min(level[n] * params.bins / params.levels, params.bins - 1u); }\n";

/** Opening of every kernel's `main`; one invocation an item. */
const MAIN = `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let item = flatInvocation(global, groups);
  if (item >= params.items) { return; }`;

type Sizes = ReturnType<typeof sizesOf>;

function params(
  { n, inputs, outputs, bins }: Sizes,
  { levels }: BinnedLinear,
  items: number,
  pack: number,
) {
  return { items, images: n, inputs, outputs: outputs / pack, bins, levels };
}

function sizesOf({ x, weight, bias, level }: BinnedLinear) {
  const [n = 0, inputs = 0] = x.shape, [bins = 0, rows, outputs = 0] = weight.shape;
  const fits = x.shape.length === 2 && weight.shape.length === 3 && rows === inputs &&
    formatShape(bias.shape) === formatShape([bins, outputs]) && sizeOf(level.shape) === n;
  if (!fits) {
    throw new RangeError(
      `Cannot apply a binned linear layer: shapes must be x [N, in], weight [bins, in, out], bias ` +
        `[bins, out] and N levels, got ${
          [x, weight, bias, level].map(({ shape }) => formatShape(shape)).join(", ")
        }`,
    );
  }
  if (level.dtype !== "u32") {
    throw new TypeError(
      `Cannot apply a binned linear layer: levels must be counted, u32, got ${level.dtype}`,
    );
  }
  return { n, inputs, outputs, bins };
}
