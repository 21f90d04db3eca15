/**
 * Concatenation along the last axis (channels of channels-last images), and its inverse.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { type BindingSpec, defineKernel, type Kernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, storedAs, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/**
 * `[..., Ca]` and `[..., Cb]` to `[..., Ca + Cb]`.
 *
 * @throws {RangeError} When an axis before the last differs.
 */
export function concatForward(capture: Capture, a: TensorRef, b: TensorRef): TensorRef {
  const ca = a.shape.at(-1), cb = b.shape.at(-1);
  const outer = a.shape.slice(0, -1);
  if (
    ca === undefined || cb === undefined ||
    formatShape(outer) !== formatShape(b.shape.slice(0, -1))
  ) {
    throw new RangeError(
      `Cannot concatenate: all axes but the last must be equal, got ${formatShape(a.shape)} and ${
        formatShape(b.shape)
      }`,
    );
  }
  const width = ca % 4 === 0 && cb % 4 === 0 ? 4 : 1;
  const type = full(width);
  const result = capture.transient([...outer, ca + cb], "concat", storedAs(a, b));
  const kernel = defineKernel({
    name: `concat.${type}`,
    bindings: {
      a: { type, access: "read" },
      b: { type, access: "read" },
      result: { type, access: "write" },
    },
    params: { items: "u32", widthA: "u32", widthB: "u32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let widest = max(params.widthA, params.widthB);
  let row = i / widest;
  let k = i % widest;
  let start = row * (params.widthA + params.widthB);
  if (k < params.widthA) { result[start + k] = a[row * params.widthA + k]; }
  if (k < params.widthB) { result[start + params.widthA + k] = b[row * params.widthB + k]; }
}`,
  });
  // An element of either operand each: where an invocation copied one of the two, the lanes of a CPU's
  // vector would go both ways, each with part of them idle.
  const items = sizeOf(outer) * Math.max(ca, cb) / width;
  capture.dispatch({
    kernel,
    bindings: { a, b, result },
    params: { items, widthA: ca / width, widthB: cb / width },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return result;
}

/** The two halves of {@linkcode splitLast}; null for one that is not wanted. */
export interface Halves {
  readonly a: TensorRef | null;
  readonly b: TensorRef | null;
}

/** A half that is wanted, and what is added to it, of its shape. */
export interface Half {
  readonly plus?: TensorRef | undefined;
}

/**
 * The inverse of {@linkcode concatForward}: the first `width` elements of the last axis, and the rest.
 *
 * @param x `[..., C]`, 0 < width < C.
 * @param halves Null for a half that is not wanted.
 * @throws {RangeError} When the width leaves nothing of either half.
 */
export function splitLast(
  capture: Capture,
  x: TensorRef,
  width: number,
  halves: { readonly a: Half | null; readonly b: Half | null },
): Halves {
  const length = x.shape.at(-1) ?? 0;
  if (!(width > 0 && width < length)) {
    throw new RangeError(
      `Cannot split ${x.label} after element ${width}: it must lie inside the last axis of ${
        formatShape(x.shape)
      }`,
    );
  }
  const pack = width % 4 === 0 && length % 4 === 0 ? 4 : 1;
  const make = (half: Half | null, size: number) =>
    half && capture.transient([...x.shape.slice(0, -1), size], "split", x.dtype);
  const a = make(halves.a, width), b = make(halves.b, length - width);
  if (!a && !b) return { a, b };
  const { plus: plusA } = halves.a ?? {}, { plus: plusB } = halves.b ?? {};
  const tensors = { a, b, plusA, plusB };
  const bindings = Object.entries(tensors).flatMap(([name, ref]) => ref ? [[name, ref]] : []);
  // With one half wanted, only its elements are visited.
  const [start, row] = !a ? [width, length - width] : !b ? [0, width] : [0, length];
  const items = sizeOf(x.shape) / length * row / pack;
  capture.dispatch({
    kernel: splitKernel(pack, bindings.map(([name]) => `${name}`)),
    bindings: { x, ...Object.fromEntries(bindings) },
    params: {
      items,
      row: row / pack,
      start: start / pack,
      width: width / pack,
      length: length / pack,
    },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
  return { a, b };
}

function splitKernel(pack: 1 | 4, names: readonly string[]): Kernel {
  const type = full(pack);
  const store = (half: "a" | "b", plus: string) => {
    if (!names.includes(half)) return "";
    const at = half === "a"
      ? "line * params.width + k"
      : "line * (params.length - params.width) + k - params.width";
    return `{ let at = ${at}; ${half}[at] = value${
      names.includes(plus) ? ` + ${plus}[at]` : ""
    }; }`;
  };
  return {
    name: `splitLast.${type}.${names.join("+")}`,
    bindings: {
      x: { type, access: "read" },
      ...Object.fromEntries(names.map((name): [string, BindingSpec] => [
        name,
        { type, access: name.startsWith("plus") ? "read" : "write" },
      ])),
    },
    params: { items: "u32", row: "u32", start: "u32", width: "u32", length: "u32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let line = i / params.row;
  let k = params.start + i % params.row;
  let value = x[line * params.length + k];
  if (k < params.width) ${store("a", "plusA") || "{}"} else ${store("b", "plusB") || "{}"}
}`,
  };
}
