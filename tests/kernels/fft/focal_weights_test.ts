import { Capture } from "../../../device/capture.ts";
import { focalWeights } from "../../../kernels/fft/focal_weights.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, randomTensor, randomValues, testGpu, upload } from "../../support/gpu.ts";

function reference(
  z: ArrayLike<number>,
  [samples, points, channels]: readonly [number, number, number],
  alpha: number,
  logarithm: boolean,
): number[] {
  const raw = Array.from({ length: z.length / 2 }, (_, i) => {
    const power = Math.hypot(z[2 * i]!, z[2 * i + 1]!) ** alpha;
    return logarithm ? Math.log1p(power) : power;
  });
  return raw.map((value, i) => {
    const n = Math.floor(i / points / channels), c = i % channels;
    let most = 0;
    for (let p = 0; p < points; p++) {
      most = Math.max(most, raw[(n * points + p) * channels + c]!);
    }
    return most === 0 ? 0 : value / most;
  }).slice(0, samples * points * channels);
}

for (const [alpha, logarithm] of [[1, false], [0.5, false], [2, true]] as const) {
  Deno.test(`focalWeights() of alpha ${alpha}${logarithm ? ", logarithmic," : ""} match f64`, async () => {
    const gpu = await testGpu();
    const z = randomValues(2 * 13 * 7 * 3 * 2, 4);
    // One plane without any difference.
    for (let p = 0; p < 91; p++) z[(91 + p) * 6 + 2] = z[(91 + p) * 6 + 3] = 0;
    const { w } = await compute(gpu, (capture) => ({
      w: focalWeights(capture, upload(gpu, [2, 13, 7, 3, 2], z), { alpha, logarithm }),
    }));
    assertAllClose(w, reference(z, [2, 91, 3], alpha, logarithm), { rtol: 1e-5, atol: 1e-6 });
    assertEquals(Math.max(...w), 1);
  });
}

Deno.test("focalWeights() refuses what is not complex, and an alpha of 0", async () => {
  const gpu = await testGpu();
  const weights = (shape: number[], alpha: number) =>
    focalWeights(new Capture(gpu, "test"), randomTensor(gpu, shape), { alpha, logarithm: false });
  assertThrows(() => weights([1, 2, 2, 2], 1), RangeError, "Cannot weight frequencies");
  assertThrows(() => weights([1, 2, 2, 1, 2], 0), RangeError, "got [1, 2, 2, 1, 2] and 0");
});
