import { fuseSums } from "../../../autograd/passes/fuse_sums.ts";
import { Capture } from "../../../device/capture.ts";
import type { TensorRef } from "../../../device/tensor.ts";
import { scaleForward } from "../../../kernels/elementwise/scale.ts";
import { fillZero } from "../../../kernels/layout/fill.ts";
import { groupNormBackward, groupNormForward } from "../../../kernels/norm/group_norm.ts";
import { sumMiddleInto } from "../../../kernels/reduce/reduce.ts";
import { assertAllClose, assertEquals } from "../../support/assert.ts";
import { randomValues, testGpu, upload } from "../../support/gpu.ts";

const SHAPE = [2, 5, 3, 8], SUMMED = [2, 15, 8] as const, COLUMNS = 12;

/** Sums of the gradient of a normalisation, `between` it and which anything may be. */
async function sums(between: (capture: Capture, dx: TensorRef, matrix: TensorRef) => TensorRef) {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "sums");
  const tensor = (shape: readonly number[], seed: number) =>
    upload(gpu, shape, randomValues(shape.reduce((a, b) => a * b, 1), seed));
  const x = tensor(SHAPE, 1), weight = tensor([8], 2), bias = tensor([8], 3);
  const options = { groups: 2, eps: 1e-5, silu: true };
  const { mean, rstd } = groupNormForward(capture, x, weight, bias, options);
  const first = capture.dispatches.length;
  const saved = { x, weight, bias, mean, rstd };
  const dx = groupNormBackward(capture, saved, tensor(SHAPE, 4), options).dx!;
  const matrix = capture.keep(capture.transient([2, COLUMNS], "matrix"));
  sumMiddleInto(capture, between(capture, dx, matrix), SUMMED, matrix, 4);
  const run = async () => {
    const plan = await capture.plan();
    plan.run();
    const values = await plan.readF32(matrix);
    plan.destroy();
    return values;
  };
  const names = () =>
    capture.dispatches.slice(first).map(({ kernel }) => kernel.name.split(".")[0]);
  const apart = { names: names(), values: await run() };
  fuseSums(capture, first);
  return { apart, fused: { names: names(), values: await run() } };
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
