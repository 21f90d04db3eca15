/**
 * Three tensors in the channels of one, such as queries, keys and values from one projection: groups of
 * channels lie side by side, and in each group those of the first tensor, then the second's and the
 * third's,
 *
 *     part p [row, g c + j] = packed [row, (3 g + p) c + j],   j < c
 *
 * With one group the tensors lie one behind the other; with a group a head, head by head.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "../shared/grid.ts";

/** The three tensors. */
export type Unpacked = readonly [TensorRef, TensorRef, TensorRef];

/**
 * `[..., 3 D]` to three of `[..., D]`.
 *
 * @throws {RangeError} When the groups do not divide the channels into three.
 */
export function unpackThree(capture: Capture, packed: TensorRef, groups: number): Unpacked {
  const channels = packed.shape.at(-1) ?? 0;
  if (!Number.isInteger(groups) || groups < 1 || channels === 0 || channels % (3 * groups) !== 0) {
    throw new RangeError(
      `Cannot unpack ${packed.label}: its last axis must be three times a multiple of ${groups} groups, got ${
        formatShape(packed.shape)
      }`,
    );
  }
  const shape = [...packed.shape.slice(0, -1), channels / 3];
  const part = (label: string) => capture.transient(shape, label, packed.dtype);
  const parts = [part("first part"), part("second part"), part("third part")] as const;
  record(capture, packed, parts, groups, false);
  return parts;
}

/** The inverse of {@linkcode unpackThree}. */
export function packThree(capture: Capture, parts: Unpacked, groups: number): TensorRef {
  const [{ shape }] = parts;
  const packed = capture.transient(
    [...shape.slice(0, -1), 3 * (shape.at(-1) ?? 0)],
    "packed",
    parts[0].dtype,
  );
  record(capture, packed, parts, groups, true);
  return packed;
}

function record(
  capture: Capture,
  packed: TensorRef,
  [first, second, third]: Unpacked,
  groups: number,
  pack: boolean,
): void {
  const size = (first.shape.at(-1) ?? 0) / groups;
  const width = size % 4 === 0 ? 4 : 1;
  const type = full(width);
  const part = { type, access: pack ? "read" : "write" } as const;
  const moved = (name: string, p: number) => {
    const at = `at + ${p}u * params.size`;
    return pack ? `packed[${at}] = ${name}[i];` : `${name}[i] = packed[${at}];`;
  };
  const items = sizeOf(first.shape) / width;
  capture.dispatch({
    kernel: defineKernel({
      name: `${pack ? "pack" : "unpack"}Three.${type}`,
      bindings: {
        packed: { type, access: pack ? "write" : "read" },
        first: part,
        second: part,
        third: part,
      },
      params: { items: "u32", size: "u32" },
      workgroupSize: [STREAM_WORKGROUP, 1, 1],
      wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u, @builtin(num_workgroups) groups: vec3u) {
  let i = flatInvocation(global, groups);
  if (i >= params.items) { return; }
  let at = i / params.size * 3u * params.size + i % params.size;
  ${["first", "second", "third"].map(moved).join("\n  ")}
}`,
    }),
    bindings: { packed, first, second, third },
    params: { items, size: size / width },
    workgroups: flatGrid(items, STREAM_WORKGROUP),
  });
}
