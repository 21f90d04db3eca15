import { measureImages } from "../../diffusion/data_spectrum.ts";
import { unitRings } from "../../diffusion/frequency.ts";
import { dft2 } from "../reference/fft.ts";
import { assertAllClose, assertEquals } from "../support/assert.ts";

Deno.test("measureImages() gives the power about the mean image by rings, and the mean of channels", () => {
  const shape = { samples: 5, height: 6, width: 4, channels: 2 }, points = 24;
  const images = Uint8Array.from({ length: 5 * points * 2 }, (_, i) => (i * i * 31 + 7 * i) % 256);
  const found = measureImages({ images, count: 5, ...shape });
  const values = Float64Array.from(images, (value) => value / 127.5 - 1);
  const mean = (at: (n: number, i: number) => number, i: number) =>
    [0, 1, 2, 3, 4].reduce((sum, n) => sum + at(n, i), 0) / 5;
  const centred = values.map((value, i) =>
    value - mean((n, k) => values[n * points * 2 + k]!, i % (points * 2))
  );
  const transform = dft2(centred, shape), { index, count } = unitRings(6, 4);
  const powers = new Float64Array(count), sizes = new Float64Array(count);
  for (let i = 0; i < centred.length; i++) {
    const ring = index[(i >> 1) % points]!;
    powers[ring]! += (transform[2 * i]! ** 2 + transform[2 * i + 1]! ** 2) / points;
    sizes[ring]!++;
  }
  assertAllClose(found.spectrum, powers.map((power, ring) => power / sizes[ring]!), { rtol: 1e-9 });
  const channel = (c: number) =>
    values.filter((_, i) => i % 2 === c).reduce((sum, value) => sum + value, 0) / (5 * points);
  assertAllClose(found.mean, [channel(0), channel(1)], { atol: 1e-12 });
  assertEquals(found.images, 5);
});
