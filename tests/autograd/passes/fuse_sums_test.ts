import { fuseSums } from "../../../autograd/passes/fuse_sums.ts";
import type { Capture } from "../../../device/capture.ts";
import type { TensorRef } from "../../../device/tensor.ts";
import { scaleForward } from "../../../kernels/elementwise/scale.ts";
import { fillZero } from "../../../kernels/layout/fill.ts";
import { groupNormBackward } from "../../../kernels/norm/group_norm.ts";
import { sumMiddleInto } from "../../../kernels/reduce/reduce.ts";
import { assertAllClose, assertEquals } from "../../support/assert.ts";
import { recordedNorm } from "../../support/group_norm.ts";

const SUMMED = [2, 15, 8] as const, COLUMNS = 12;

/** Sums of the gradient of a normalisation, `between` it and which anything may be. */
async function sums(between: (capture: Capture, dx: TensorRef, matrix: TensorRef) => TensorRef) {
  const norm = await recordedNorm();
  const { capture, saved, dy, options, first } = norm;
  const dx = groupNormBackward(capture, saved, dy, options).dx!;
  const matrix = capture.keep(capture.transient([2, COLUMNS], "matrix"));
  sumMiddleInto(capture, between(capture, dx, matrix), SUMMED, matrix, 4);
  const names = () => norm.names().map((name) => name.split(".")[0]);
  const apart = { names: names(), values: await norm.run(matrix) };
  fuseSums(capture, first);
  return { apart, fused: { names: names(), values: await norm.run(matrix) } };
}

Deno.test("fuseSums() moves a sum into the dispatch that makes what is summed, and zeros ahead of it", async () => {
  const { apart, fused } = await sums((capture, dx, matrix) => {
    fillZero(capture, matrix);
    return dx;
  });
  assertEquals(apart.names, ["groupNormSiluBackward", "fillZero", "sumColumns"]);
  assertEquals(fused.names, ["fillZero", "groupNormSiluBackward"]);
  assertAllClose(fused.values, apart.values, { rtol: 1e-5, atol: 1e-5 });
  assertEquals(fused.values.some((value) => Math.abs(value) > 1e-3), true);
});

Deno.test("fuseSums() leaves sums alone that are taken of something else, or that others precede", async () => {
  const another = await sums((capture, dx, matrix) => {
    fillZero(capture, matrix);
    return scaleForward(capture, dx, 2);
  });
  assertEquals(another.fused, another.apart);
  const later = await sums((capture, dx, matrix) => {
    fillZero(capture, matrix);
    sumMiddleInto(capture, scaleForward(capture, dx, 2), SUMMED, matrix, 0);
    return dx;
  });
  assertEquals(later.fused, later.apart);
});
