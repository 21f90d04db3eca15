import { Capture } from "../../../device/capture.ts";
import { type PlacedSum, sumParts, sumPartsInto } from "../../../kernels/shared/partial_sums.ts";
import { assertAllClose, assertEquals } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

/** The sums in f64 over a copy of `before`, or over zeros. */
function expectedOf(parts: Float32Array, sums: readonly PlacedSum[], before: Float32Array) {
  const result = Float64Array.from(before);
  for (const { start, stride, count, length, to } of sums) {
    for (let j = 0; j < length; j++) {
      for (let k = 0; k < count; k++) result[to + j]! += parts[start + k * stride + j]!;
    }
  }
  return result;
}

const LISTS: readonly { readonly name: string; readonly sums: readonly PlacedSum[] }[] = [
  { name: "one element", sums: [{ start: 0, stride: 1, count: 1, length: 1, to: 0 }] },
  { name: "odd sizes", sums: [{ start: 3, stride: 13, count: 37, length: 7, to: 5 }] },
  {
    name: "sums of one and of many blocks, wide and not, out of order",
    sums: [
      { start: 4000, stride: 0, count: 1, length: 1100, to: 2000 },
      { start: 0, stride: 1028, count: 3, length: 1024, to: 900 },
      { start: 1024, stride: 1028, count: 3, length: 1, to: 4 },
      { start: 3100, stride: 64, count: 9, length: 60, to: 8 },
      { start: 3101, stride: 3, count: 100, length: 3, to: 77 },
    ],
  },
];

for (const { name, sums } of LISTS) {
  for (const accumulate of [false, true]) {
    Deno.test(`sumPartsInto() ${accumulate ? "adds" : "writes"} ${name} and nothing else`, async () => {
      const gpu = await testGpu();
      const parts = randomValues(5200, 1), before = randomValues(4000, 2);
      const result = upload(gpu, [4000], before);
      const capture = new Capture(gpu, "test");
      sumPartsInto(capture, upload(gpu, [5200], parts), sums, result, accumulate);
      const program = await capture.plan();
      program.run();
      const base = Float32Array.from(before);
      if (!accumulate) { for (const { to, length } of sums) base.fill(0, to, to + length); }
      const expected = expectedOf(parts, sums, base);
      assertAllClose(await gpu.readF32(result), expected, { rtol: 1e-5, atol: 1e-5 });
      program.destroy();
    });
  }
}

Deno.test("sumParts() adds thousands of parts with little round-off", async () => {
  const gpu = await testGpu();
  const count = 4096, length = 12;
  const parts = randomValues(count * length, 3).map((v) => v + 100);
  const { sum } = await compute(gpu, (capture) => ({
    sum: sumParts(capture, {
      parts: upload(gpu, [count, length], parts),
      count,
      stride: length,
      shape: [3, 4],
    }),
  }));
  const [all] = [{ start: 0, stride: length, count, length, to: 0 }];
  const expected = expectedOf(parts, [all!], new Float32Array(length));
  assertAllClose(sum, expected, { rtol: 3e-6, atol: 0 });
  assertEquals(sum.length, 12);
});
