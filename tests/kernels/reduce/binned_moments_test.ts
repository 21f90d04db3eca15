import { Capture } from "../../../device/capture.ts";
import { addBinnedMoments } from "../../../kernels/reduce/binned_moments.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { randomValues, testGpu, upload } from "../../support/gpu.ts";

const T = 21, BINS = 4, MEASURES = 5, SAMPLES = 13;

/** Timesteps that leave the third bin empty. */
const DRAWN = Uint32Array.from({ length: SAMPLES }, (_, n) => [0, 20, 5, 6, 16, 9][n % 6]!);

/** Count, mean and squared deviations of every bin and measure, by two passes in f64. */
function expected(batches: readonly ArrayLike<number>[], factor: (t: number) => number) {
  const result: number[] = [];
  for (let bin = 0; bin < BINS; bin++) {
    for (let m = 0; m < MEASURES; m++) {
      const inBin = batches.flatMap((values) =>
        [...DRAWN].flatMap((t, n) =>
          Math.floor(t * BINS / T) === bin ? factor(t) * values[n * MEASURES + m]! : []
        )
      );
      const mean = inBin.reduce((sum, x) => sum + x, 0) / Math.max(1, inBin.length);
      result.push(inBin.length, mean, inBin.reduce((sum, x) => sum + (x - mean) ** 2, 0));
    }
  }
  return result;
}

for (const scaled of [false, true]) {
  Deno.test(`addBinnedMoments() over three batches matches f64, scaled ${scaled}`, async () => {
    const gpu = await testGpu();
    const factor = (t: number) => scaled ? 0.5 + t : 1;
    const factors = upload(gpu, [T], Array.from({ length: T }, (_, t) => factor(t)));
    const moments = gpu.tensor([BINS, MEASURES, 3], { label: "moments" });
    const timesteps = upload(gpu, [SAMPLES], DRAWN, "u32");
    const capture = new Capture(gpu, "test");
    // A large mean: a sum of squares would lose the deviations.
    const batches = [1, 2, 3].map((seed) =>
      randomValues(SAMPLES * MEASURES, seed).map((x) => 1000 + x)
    );
    for (const batch of batches) {
      const values = upload(gpu, [SAMPLES, MEASURES], batch);
      const more = scaled ? { factors } : {};
      addBinnedMoments(capture, moments, { timesteps, values, ...more }, T);
    }
    const program = await capture.plan();
    program.run();
    const read = await gpu.readF32(moments);
    const wanted = expected(batches, factor);
    assertEquals([read[2 * 3 * MEASURES], wanted[2 * 3 * MEASURES]], [0, 0]);
    assertAllClose(read, wanted, { rtol: 2e-3, atol: 1e-3 });
    program.destroy();
  });
}

Deno.test("addBinnedMoments() refuses shapes that do not fit", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const moments = gpu.tensor([BINS, MEASURES, 3]);
  const timesteps = gpu.tensor([2], { dtype: "u32" });
  const wrong = { timesteps, values: gpu.tensor([3, MEASURES]) };
  assertThrows(() => addBinnedMoments(capture, moments, wrong, T), RangeError, "[3, 5] and [2]");
});
