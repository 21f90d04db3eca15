/**
 * Timesteps drawn from a table of probabilities.
 *
 * @module
 */
import type { Capture } from "../../../device/capture.ts";
import { elementOf } from "../../../device/element.ts";
import { defineKernel } from "../../../device/kernel.ts";
import { sizeOf, type TensorRef } from "../../../device/tensor.ts";
import { flatGrid, STREAM_WORKGROUP } from "../../shared/grid.ts";
import { KEY_PARAMS, keyParams } from "../../shared/philox.ts";
import { MAIN, RANDOM, type TimestepDraw } from "./shared.ts";

/**
 * The table that {@linkcode tableTimesteps} draws by: entry t is 2^32 times the probability of a
 * timestep of at most t, so probabilities are kept to 2^-32.
 *
 * @param density Probabilities `[T]`, or numbers in proportion to them.
 * @throws {RangeError} When they are negative, not finite or all zero.
 */
export function timestepTable(density: ArrayLike<number>): Uint32Array<ArrayBuffer> {
  const values = Array.from(density);
  const total = values.reduce((sum, value) => sum + value, 0);
  if (!(total > 0 && total < Infinity && values.every((value) => value >= 0))) {
    throw new RangeError(
      `Cannot draw timesteps: their probabilities must be at least 0 with a positive, finite sum, got the sum ${total}`,
    );
  }
  let sum = 0;
  return Uint32Array.from(values, (value) => {
    sum += value / total;
    return Math.min(Math.round(sum * 2 ** 32), 2 ** 32 - 1);
  });
}

const tableKernel = defineKernel({
  name: "tableTimesteps",
  bindings: {
    key: { type: elementOf("u32", 4), access: "read" },
    table: { type: elementOf("u32", 1), access: "read" },
    result: { type: elementOf("u32", 1), access: "write" },
  },
  params: { ...KEY_PARAMS, items: "u32", timesteps: "u32" },
  workgroupSize: [STREAM_WORKGROUP, 1, 1],
  wgsl: `${RANDOM}
${MAIN}
  // The first entry above the word, or the last.
  var low = 0u;
  var high = params.timesteps - 1u;
  while (low < high) {
    let middle = (low + high) / 2u;
    if (table[middle] > words.x) { high = middle; } else { low = middle + 1u; }
  }
  result[n] = low;
}`,
});

/**
 * Timesteps u32 `[samples]` with the probabilities of a table.
 *
 * @param key See philox.ts.
 * @param table u32 `[T]` of {@linkcode timestepTable}.
 */
export function tableTimesteps(
  capture: Capture,
  key: TensorRef,
  table: TensorRef,
  { samples, stream }: TimestepDraw,
): TensorRef {
  const result = capture.transient([samples], "timesteps", "u32");
  capture.dispatch({
    kernel: tableKernel,
    bindings: { key, table, result },
    params: { ...keyParams(key, samples, stream), items: samples, timesteps: sizeOf(table.shape) },
    workgroups: flatGrid(samples, STREAM_WORKGROUP),
  });
  return result;
}
