/**
 * Pointwise operations over operands of different shapes by numpy's rules: shapes are aligned at
 * their last axis, and an axis of length 1 is repeated.
 *
 * Axes that behave alike are merged first, so that a bias over an image is a two-axis problem. Where
 * the innermost merged axis is a multiple of four it is streamed as vec4; an operand that is
 * constant along it is read once and repeated.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import type { BindingSpec, Kernel, ParamType } from "../../device/kernel.ts";
import { formatShape, sizeOf, storedAs, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";
import { boundNames, definePointwise, onceName, type Pointwise } from "../shared/pointwise.ts";

/**
 * The shape that operands of these shapes are broadcast to.
 *
 * @throws {RangeError} When two lengths of an axis differ and neither is 1.
 */
export function broadcastShape(name: string, ...shapes: readonly (readonly number[])[]): number[] {
  const rank = Math.max(...shapes.map((shape) => shape.length));
  return Array.from({ length: rank }, (_, axis) => {
    const lengths = shapes.map((shape) => axisOf(shape, axis, rank));
    const length = lengths.find((n) => n !== 1) ?? 1;
    if (lengths.some((n) => n !== 1 && n !== length)) {
      throw new RangeError(
        `Cannot compute ${name}: shapes must be equal or 1 in every axis, got ${
          shapes.map(formatShape).join(" and ")
        }`,
      );
    }
    return length;
  });
}

/** Length of an axis of a shape that is padded with ones on the left to `rank` axes. */
function axisOf(shape: readonly number[], axis: number, rank: number): number {
  return shape[axis - (rank - shape.length)] ?? 1;
}

/** One merged axis: its length, and for each operand whether it varies along it. */
interface MergedAxis {
  size: number;
  readonly varies: readonly boolean[];
}

/** Merges neighbouring axes along which the same operands vary; axes of length 1 vanish. */
function mergeAxes(
  result: readonly number[],
  operands: readonly (readonly number[])[],
): MergedAxis[] {
  const merged: MergedAxis[] = [];
  result.forEach((size, axis) => {
    if (size === 1) return;
    const varies = operands.map((shape) => axisOf(shape, axis, result.length) !== 1);
    const last = merged.at(-1);
    if (last && last.varies.every((v, i) => v === varies[i])) last.size *= size;
    else merged.push({ size, varies });
  });
  return merged.length > 0 ? merged : [{ size: 1, varies: operands.map(() => true) }];
}

/**
 * Records `op` over broadcast operands.
 *
 * @param inputs The operands; every shape must broadcast to `shape`.
 * @param params Values of the op's parameters.
 * @param shape Shape of the result, the operands' common one unless given.
 * @throws {RangeError} When shapes do not fit.
 */
export function broadcast<I extends string, P extends string>(
  capture: Capture,
  op: Pointwise<I, P>,
  inputs: Readonly<Record<I, TensorRef>>,
  params: Readonly<Record<P, number>>,
  shape?: readonly number[],
): TensorRef {
  const shapes = op.inputs.map((name) => inputs[name].shape);
  const common = broadcastShape(op.name, ...shapes, ...(shape ? [shape] : []));
  if (shape && formatShape(common) !== formatShape(shape)) {
    throw new RangeError(
      `Cannot compute ${op.name}: operands must broadcast to ${formatShape(shape)}, got ${
        shapes.map(formatShape).join(" and ")
      }`,
    );
  }
  const axes = mergeAxes(common, shapes);
  const inner = axes.at(-1)!;
  const width = inner.size % 4 === 0 ? 4 : 1;
  const count = sizeOf(common) / width;
  const result = capture.transient(
    common,
    op.name,
    storedAs(...op.inputs.map((name) => inputs[name])),
  );
  const bound = boundNames(op.inputs, inputs);
  capture.dispatch({
    kernel: broadcastKernel(op, width, axes.length, inner.varies, bound),
    bindings: { ...inputs, result },
    params: { ...params, items: count, ...strideParams(axes, width) },
    workgroups: flatGrid(count, STREAM_WORKGROUP),
  });
  return result;
}

/** Lengths and strides as parameters, in elements of the type that each operand is read as. */
function strideParams(axes: readonly MergedAxis[], width: 1 | 4): Record<string, number> {
  const params: Record<string, number> = {};
  const inner = axes.at(-1)!;
  axes.forEach(({ size }, axis) => {
    params[`size${axis}`] = axis === axes.length - 1 ? size / width : size;
  });
  inner.varies.forEach((vector, operand) => {
    let stride = 1;
    for (let axis = axes.length - 1; axis >= 0; axis--) {
      const { size, varies } = axes[axis]!;
      params[`stride${operand}_${axis}`] = varies[operand] ? stride : 0;
      if (varies[operand]) {
        stride *= vector && axis === axes.length - 1 ? size / width : size;
      }
    }
  });
  return params;
}

function broadcastKernel<I extends string, P extends string>(
  op: Pointwise<I, P>,
  width: 1 | 4,
  rank: number,
  vector: readonly boolean[],
  bound: readonly I[],
): Kernel {
  const type = full(width);
  const bindings: Record<string, BindingSpec> = {};
  bound.forEach((name, i) => {
    bindings[name] = { type: vector[i] ? type : "f32", access: "read" };
  });
  bindings.result = { type, access: "write" };
  const params: Record<string, ParamType> = { ...op.params, items: "u32" };
  const steps: string[] = [];
  for (let axis = rank - 1; axis >= 0; axis--) {
    params[`size${axis}`] = "u32";
    const last = axis === 0;
    steps.push(last ? "at = rest;" : `at = rest % params.size${axis}; rest /= params.size${axis};`);
    op.inputs.forEach((_, i) => {
      params[`stride${i}_${axis}`] = "u32";
      steps.push(`i${i} += at * params.stride${i}_${axis};`);
    });
  }
  return {
    name: `${op.name}.broadcast${rank}.${type}.${vector.map((v) => v ? "v" : "s").join("")}${
      onceName(bound)
    }`,
    bindings,
    params,
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `alias V = ${type};
${FLAT_INDEX}${op.functions ?? ""}
fn f(${op.inputs.map((name) => `${name}: V`).join(", ")}) -> V { return ${op.result}; }
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  var rest = i;
  var at = 0u;
  ${op.inputs.map((_, k) => `var i${k} = 0u;`).join(" ")}
  ${steps.join("\n  ")}
  result[i] = f(${bound.map((name, k) => `V(${name}[i${k}])`).join(", ")});
}`,
  };
}

const add = definePointwise({ name: "add", inputs: ["a", "b"], result: "a + b" });
const mul = definePointwise({ name: "mul", inputs: ["a", "b"], result: "a * b" });
const expand = definePointwise({
  name: "expand",
  inputs: ["x"],
  params: { factor: "f32" },
  result: "params.factor * x",
});

/** `a + b`, broadcast. */
export function addForward(capture: Capture, a: TensorRef, b: TensorRef): TensorRef {
  return broadcast(capture, add, { a, b }, {});
}

/** `a b`, broadcast. */
export function mulForward(capture: Capture, a: TensorRef, b: TensorRef): TensorRef {
  return broadcast(capture, mul, { a, b }, {});
}

/** `factor x` repeated to `shape`: the gradient of a sum (factor 1) or of a mean. */
export function expandTo(
  capture: Capture,
  x: TensorRef,
  shape: readonly number[],
  factor = 1,
): TensorRef {
  return broadcast(capture, expand, { x }, { factor }, shape);
}
