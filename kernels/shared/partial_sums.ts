/**
 * Sums over parts: workgroups that share out a long sum write their parts side by side, and one
 * dispatch adds the parts of many tensors in a fixed order. Gradients of weights and biases end this
 * way.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { elementOf, full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import { sizeOf, slice, type TensorRef } from "../../device/tensor.ts";
import { FLAT_INDEX, flatGrid, STREAM_WORKGROUP } from "./grid.ts";

/** The tensor whose element j is the sum over k < count of element `start + k stride + j` of `parts`. */
export interface PartialSum {
  /** The parts side by side. */
  readonly parts: TensorRef;
  /** Number of parts. */
  readonly count: number;
  /** Elements from one part to the next. */
  readonly stride: number;
  /** The first part's first element; 0 unless given. */
  readonly start?: number;
  /** Shape of the sum. */
  readonly shape: readonly number[];
}

/** A {@linkcode PartialSum} within a tensor of parts that it shares with others, and where it goes. */
export interface PlacedSum {
  readonly start: number;
  readonly stride: number;
  readonly count: number;
  /** Elements of the sum. */
  readonly length: number;
  /** Element of the result that the sum begins at. */
  readonly to: number;
}

/** Neighbouring vectors of an invocation, eight apart: lanes of a CPU then read whole lines in order. */
const SHARE = 4;
const RUN = 8;

/** Parts of a chain of additions; chains are added to each other, which keeps round-off small. */
const CHAIN = 8;

/** `[first block, start, stride, count, to, length]` of each sum. */
const ENTRY = 6;

/** The sum by itself. */
export function sumParts(capture: Capture, sum: PartialSum): TensorRef {
  const { parts, count, stride, start = 0, shape } = sum;
  const result = capture.transient(shape, "sum of parts");
  const length = sizeOf(shape);
  sumPartsInto(capture, parts, [{ start, stride, count, length, to: 0 }], result);
  return result;
}

/**
 * Writes sums to their places, which must not overlap.
 *
 * @param accumulate Add to what is there instead.
 */
export function sumPartsInto(
  capture: Capture,
  parts: TensorRef,
  sums: readonly PlacedSum[],
  result: TensorRef,
  accumulate = false,
): void {
  const isWide = ({ start, stride, length, to }: PlacedSum) =>
    [start, stride, length, to].every((n) => n % 4 === 0);
  const whole = [parts, result].every(({ shape }) => sizeOf(shape) % 4 === 0);
  for (const width of [4, 1] as const) {
    const list = sums.filter((sum) => (whole && isWide(sum)) === (width === 4));
    if (list.length > 0) record(capture, parts, list, result, { width, accumulate });
  }
}

/** What the code of the kernel depends on. */
interface Variant {
  /** Floats of a load. */
  readonly width: 1 | 4;
  readonly accumulate: boolean;
}

function record(
  capture: Capture,
  parts: TensorRef,
  sums: readonly PlacedSum[],
  result: TensorRef,
  variant: Variant,
): void {
  const { width } = variant;
  const table = new Uint32Array(sums.length * ENTRY);
  let blocks = 0;
  sums.forEach(({ start, stride, count, length, to }, i) => {
    const counts = [start, stride, to, length].map((n) => n / width);
    const [first = 0, step = 0, target = 0, items = 0] = counts;
    table.set([blocks, first, step, count, target, items], i * ENTRY);
    blocks += Math.ceil(items / (STREAM_WORKGROUP * SHARE));
  });
  capture.dispatch({
    kernel: kernelOf(variant),
    bindings: { parts, table: capture.constant([table.length], table, "places of sums"), result },
    params: { blocks, entries: sums.length },
    workgroups: flatGrid(blocks),
    touches: sums.map(({ length, to }) => slice(result, to, [length])),
  });
}

function kernelOf({ width, accumulate }: Variant) {
  const type = full(width);
  const each = (line: (s: number) => string) =>
    Array.from({ length: SHARE }, (_, s) => line(s)).join("\n  ");
  return defineKernel({
    name: `sumParts.${type}${accumulate ? ".add" : ""}`,
    bindings: {
      parts: { type, access: "read" },
      table: { type: elementOf("u32", 1), access: "read" },
      result: { type, access: accumulate ? "read_write" : "write" },
    },
    params: { blocks: "u32", entries: "u32" },
    workgroupSize: [STREAM_WORKGROUP, 1, 1],
    wgsl: `${FLAT_INDEX}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(workgroup_id) group: vec3u, @builtin(num_workgroups) grid: vec3u,
        @builtin(local_invocation_index) t: u32) {
  let block = flatWorkgroup(group, grid);
  if (block >= params.blocks) { return; }
  // The last sum that begins at or before this block.
  var entry = 0u;
  var past = params.entries;
  while (past - entry > 1u) {
    let middle = (entry + past) / 2u;
    if (table[middle * ${ENTRY}u] <= block) { entry = middle; } else { past = middle; }
  }
  let at = entry * ${ENTRY}u;
  let stride = table[at + 2u];
  let count = table[at + 3u];
  let length = table[at + 5u];
  let first = (block - table[at]) * ${STREAM_WORKGROUP * SHARE}u
    + t / ${RUN}u * ${RUN * SHARE}u + t % ${RUN}u;
  ${each((s) => `let j${s} = first + ${s * RUN}u;`)}
  ${each((s) => `let from${s} = table[at + 1u] + min(j${s}, length - 1u);`)}
  ${each((s) => `var total${s} = ${type}(0.0);`)}
  for (var start = 0u; start < count; start += ${CHAIN}u) {
    let end = min(start + ${CHAIN}u, count);
    ${each((s) => `var chain${s} = ${type}(0.0);`)}
    for (var k = start; k < end; k++) {
      ${each((s) => `chain${s} += parts[from${s} + k * stride];`)}
    }
    ${each((s) => `total${s} += chain${s};`)}
  }
  let to = table[at + 4u];
  ${each((s) => `if (j${s} < length) { result[to + j${s}] ${accumulate ? "+" : ""}= total${s}; }`)}
}`,
  });
}
