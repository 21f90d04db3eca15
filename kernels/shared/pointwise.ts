/**
 * Pointwise kernels from an expression: `y[i] = f(a[i], b[i], ...)`. Element counts that are multiples
 * of four are streamed as vec4, others one by one, from the same text: `V` is `vec4f` or `f32`, and `U` its
 * bits.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import type { BindingSpec, Kernel, ParamType } from "../../device/kernel.ts";
import { formatShape, sizeOf, storedAs, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "./grid.ts";

/** A pointwise operation. */
export interface Pointwise<I extends string, P extends string> {
  /** Name in errors and profiles. */
  readonly name: string;
  /** Names of the operands, which the expression uses as values of type `V`. */
  readonly inputs: readonly I[];
  /** Uniform parameters, used as `params.name`. */
  readonly params?: Readonly<Record<P, ParamType>>;
  /** WGSL functions that the expression calls, written over `V`. */
  readonly functions?: string;
  /** WGSL expression of type `V`. */
  readonly result: string;
}

/** Identity function that infers operand and parameter names. */
export function definePointwise<I extends string, P extends string = never>(
  op: Pointwise<I, P>,
): Pointwise<I, P> {
  return op;
}

/**
 * Records `op` over operands of one shape.
 *
 * @param inputs The operands, all of the same shape; halves and floats may be mixed.
 * @param params Values of the parameters.
 * @returns A new tensor of that shape, of halves where an operand is.
 * @throws {RangeError} When shapes differ.
 */
export function pointwise<I extends string, P extends string>(
  capture: Capture,
  op: Pointwise<I, P>,
  inputs: Readonly<Record<I, TensorRef>>,
  params: Readonly<Record<P, number>>,
): TensorRef {
  const [first, ...others] = op.inputs.map((name) => inputs[name]);
  if (!first) throw new TypeError(`Cannot compute ${op.name}: it must have an operand`);
  for (const other of others) {
    if (formatShape(other.shape) !== formatShape(first.shape)) {
      throw new RangeError(
        `Cannot compute ${op.name}: operands must have one shape, got ${
          formatShape(first.shape)
        } and ${formatShape(other.shape)}`,
      );
    }
  }
  const count = sizeOf(first.shape);
  const width = count % 4 === 0 ? 4 : 1;
  const result = capture.transient(first.shape, op.name, storedAs(first, ...others));
  const bound = boundNames(op.inputs, inputs);
  capture.dispatch({
    kernel: pointwiseKernel(op, width, bound),
    bindings: { ...inputs, result },
    params: { ...params, items: count / width },
    workgroups: flatGrid(count / width, STREAM_WORKGROUP),
  });
  return result;
}

/**
 * The names that operands are bound by: those that are one tensor by that of the first, which would be
 * copied else (`readAgain` in device/dispatch.ts).
 */
export function boundNames<I extends string>(
  names: readonly I[],
  inputs: Readonly<Record<I, TensorRef>>,
): I[] {
  const same = (a: TensorRef, b: TensorRef) =>
    a.storage === b.storage && a.byteOffset === b.byteOffset && a.dtype === b.dtype &&
    a.seam === b.seam && formatShape(a.shape) === formatShape(b.shape);
  return names.map((name) => names.find((other) => same(inputs[other], inputs[name]))!);
}

/** Ends the names of kernels whose operands are one tensor. */
export function onceName(bound: readonly string[]): string {
  return new Set(bound).size < bound.length ? `.${bound.join("=")}` : "";
}

/** WGSL: `U`, the type of the bits of a vector of so many floats. */
export function bitsAlias(width: 1 | 4): string {
  return `alias U = ${width === 4 ? "vec4u" : "u32"};\n`;
}

function pointwiseKernel<I extends string, P extends string>(
  op: Pointwise<I, P>,
  width: 1 | 4,
  bound: readonly I[],
): Kernel {
  const type = full(width);
  const bindings: Record<string, BindingSpec> = {};
  for (const name of bound) bindings[name] = { type, access: "read" };
  bindings.result = { type, access: "write" };
  const operands = bound.map((name) => `${name}[i]`);
  // Operands are parameters of f, which hide the arrays of the same names.
  return {
    name: `${op.name}.${type}${onceName(bound)}`,
    bindings,
    params: { ...op.params, items: "u32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `alias V = ${type};
${bitsAlias(width)}${FLAT_INDEX}${op.functions ?? ""}
fn f(${op.inputs.map((name) => `${name}: V`).join(", ")}) -> V { return ${op.result}; }
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  result[i] = f(${operands.join(", ")});
}`,
  };
}
