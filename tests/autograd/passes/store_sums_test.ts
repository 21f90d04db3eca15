import { storeSums } from "../../../autograd/passes/store_sums.ts";
import type { Capture } from "../../../device/capture.ts";
import { slice, type TensorRef } from "../../../device/tensor.ts";
import { scaleForward } from "../../../kernels/elementwise/scale.ts";
import { fillZero } from "../../../kernels/layout/fill.ts";
import { groupNormBackward } from "../../../kernels/norm/group_norm.ts";
import { sumMiddleInto } from "../../../kernels/reduce/reduce.ts";
import { assertEquals } from "../../support/assert.ts";
import { recordedNorm } from "../../support/group_norm.ts";

const SUMMED = [2, 15, 8] as const, COLUMNS = 20;

/** Adds sums of eight columns, from `starts` on and the last by a normalisation's gradient, and four more. */
async function sums(
  starts: readonly [number, number],
  before: (capture: Capture, matrix: TensorRef) => void = () => {},
) {
  const norm = await recordedNorm();
  const { capture, saved, dy, options, first } = norm, { x } = saved;
  const matrix = capture.keep(capture.transient([2, COLUMNS], "matrix"));
  fillZero(capture, matrix);
  before(capture, matrix);
  sumMiddleInto(capture, x, SUMMED, matrix, starts[0]);
  groupNormBackward(capture, saved, dy, options, {
    x: true,
    sums: { matrix, start: starts[1] },
  });
  sumMiddleInto(capture, slice(x, 0, [2, 5, 4]), [2, 5, 4], matrix, 16);
  const added = { names: norm.names(), values: await norm.run(matrix) };
  storeSums(capture, first);
  return { added, stored: { names: norm.names(), values: await norm.run(matrix) } };
}

Deno.test("storeSums() stores sums that cover a matrix, which then need not be zeroed, to the same bits", async () => {
  const { added, stored } = await sums([8, 0]);
  assertEquals(stored.names.length, added.names.length - 1);
  const wrong = stored.names.filter((name) => /fillZero|\.add|\+sums/.test(name));
  assertEquals(wrong, []);
  assertEquals(stored.values, added.values);
  assertEquals(stored.values.every((value) => value !== 0), true);
});

Deno.test("storeSums() leaves sums alone that overlap, leave a gap, or follow what reads the zeros", async () => {
  for (const starts of [[4, 0], [0, 0]] as const) {
    const { added, stored } = await sums(starts);
    assertEquals(stored, added, `${starts}`);
  }
  const { added, stored } = await sums([8, 0], (capture, matrix) => {
    capture.keep(scaleForward(capture, matrix, 2));
  });
  assertEquals(stored, added);
});
