import { Capture } from "../../../device/capture.ts";
import { recolourImages } from "../../../kernels/elementwise/recolour.ts";
import { assertAllClose, assertThrows } from "../../support/assert.ts";
import { compute, testGpu, upload } from "../../support/gpu.ts";

Deno.test("recolourImages() maps the colours of each image by its own map", async () => {
  const gpu = await testGpu();
  for (const channels of [1, 3]) {
    const shape = [3, 2, 5, channels], pixels = 10;
    const images = Array.from({ length: 3 * pixels * channels }, (_, i) => Math.sin(7 * i));
    const maps = Array.from({ length: 3 * channels * (channels + 1) }, (_, i) => Math.cos(3 * i));
    const x = upload(gpu, shape, images), given = upload(gpu, [3, maps.length / 3], maps);
    const { y } = await compute(gpu, (capture) => ({ y: recolourImages(capture, x, given) }));
    const expected = images.map((_, i) => {
      const c = i % channels, first = i - c, n = Math.floor(i / (pixels * channels));
      const row = (n * channels + c) * (channels + 1);
      let sum = maps[row + channels]!;
      for (let k = 0; k < channels; k++) sum += maps[row + k]! * images[first + k]!;
      return sum;
    });
    assertAllClose([...y], expected, { rtol: 1e-6, atol: 1e-6 });
  }
});

Deno.test("recolourImages() refuses maps of other images", async () => {
  const capture = new Capture(await testGpu(), "test");
  const x = capture.transient([2, 4, 4, 3], "x"), maps = capture.transient([2, 2], "maps");
  assertThrows(() => recolourImages(capture, x, maps), RangeError, "must come with [N, C, C + 1]");
});
