import { ringPowers } from "../../../kernels/fft/ring_powers.ts";
import { createRings, destroyRings } from "../../../kernels/fft/rings.ts";
import { Capture } from "../../../device/capture.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

/** Mean of |z|^2 over rings and channels, in f64. */
function expectedPowers(z: Float32Array, index: Uint32Array, rings: number, channels: number) {
  const samples = z.length / (2 * channels * index.length);
  const sums = new Float64Array(samples * rings), sizes = new Float64Array(rings);
  for (const ring of index) sizes[ring]! += channels;
  for (let i = 0; 2 * i < z.length; i++) {
    const point = Math.floor(i / channels);
    const ring = index[point % index.length]!;
    const to = Math.floor(point / index.length) * rings + ring;
    sums[to]! += (z[2 * i]! ** 2 + z[2 * i + 1]! ** 2) / sizes[ring]!;
  }
  return sums;
}

for (
  const { samples, height, width, channels, rings: count } of [
    { samples: 1, height: 1, width: 1, channels: 1, rings: 1 },
    { samples: 2, height: 5, width: 7, channels: 3, rings: 4 },
    { samples: 3, height: 32, width: 32, channels: 2, rings: 2 },
  ]
) {
  Deno.test(`ringPowers() of [${samples}, ${height}, ${width}, ${channels}] matches f64`, async () => {
    const gpu = await testGpu();
    // The first ring is one point, the others are large and scattered.
    const index = Uint32Array.from(
      { length: height * width },
      (_, i) => i === 0 ? 0 : Math.min(count - 1, 1 + (i * 7) % Math.max(1, count - 1)),
    );
    const rings = createRings(gpu, index, count);
    const values = randomValues(2 * samples * height * width * channels, 5);
    const z = upload(gpu, [samples, height, width, channels, 2], values);
    const { y } = await compute(gpu, (c) => ({ y: ringPowers(c, z, rings) }));
    assertEquals(y.length, samples * count);
    assertAllClose(y, expectedPowers(values, index, count, channels), { rtol: 1e-5 });
    destroyRings(gpu, rings);
  });
}

Deno.test("ringPowers() refuses real planes and planes of another size", async () => {
  const gpu = await testGpu();
  const rings = createRings(gpu, Uint32Array.of(0, 1, 1, 0), 2);
  const capture = new Capture(gpu, "test");
  for (const shape of [[1, 2, 2, 1], [1, 2, 3, 1, 2]]) {
    assertThrows(
      () => ringPowers(capture, gpu.tensor(shape), rings),
      RangeError,
      "must be [N, H, W, C, 2] with 4 points",
    );
  }
  destroyRings(gpu, rings);
});
