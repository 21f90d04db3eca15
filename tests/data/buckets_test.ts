import { bucketSizes, nearestBucket } from "../../data/buckets.ts";
import { assert, assertEquals } from "../support/assert.ts";

const auto = (size: number | [number, number], bucketStep: number, bucketRatio = 2) =>
  bucketSizes({ size, buckets: "auto", bucketStep, bucketRatio })!;

Deno.test("bucketSizes() of auto has data.size, and the largest sizes of as many pixels at most", () => {
  assertEquals(auto(32, 8), [[24, 40], [32, 32], [40, 24]]);
  // A step that does not divide the size keeps it.
  assert(auto(33, 8).some(([h, w]) => h === 33 && w === 33));
  for (const [size, step, ratio] of [[64, 4, 2], [[48, 80], 8, 3], [512, 64, 4]] as const) {
    const [height, width] = typeof size === "number" ? [size, size] : size;
    const sizes = auto(typeof size === "number" ? size : [...size], step, ratio);
    for (const [h, w] of sizes) {
      if (h === height && w === width) continue;
      assert(h * w <= height * width && Math.max(h / w, w / h) <= ratio, `${h}x${w}`);
      assertEquals([h % step, w % step], [0, 0]);
      // Neither side could be a step longer.
      assert((h + step) * w > height * width || (w + step) * h > height * width, `${h}x${w}`);
    }
    assertEquals(new Set(sizes.map(([h, w]) => h / w)).size, sizes.length);
  }
});

Deno.test("bucketSizes() of auto has SDXL's sizes of ratios 1 to 2 where each fits into its pixels", () => {
  // Appendix I of the paper, from 1024x1024 to 1408x704; those of more than 2^20 pixels are left out.
  const table = [[1024, 1024], [1088, 960], [1152, 896], [1216, 832], [1344, 768], [1408, 704]]
    .filter(([h, w]) => h! * w! <= 1024 ** 2);
  const sizes = auto(1024, 64).map(String);
  for (const [h, w] of table) {
    assert(sizes.includes(`${h},${w}`) && sizes.includes(`${w},${h}`), `${h}x${w} of ${sizes}`);
  }
});

Deno.test("nearestBucket() goes by the logarithm of the ratio, alike for an image and its transpose", () => {
  const sizes = auto(32, 8);
  const of = (height: number, width: number) => sizes[nearestBucket(height, width, sizes)];
  assertEquals([of(500, 500), of(300, 1000), of(1000, 300)], [[32, 32], [24, 40], [40, 24]]);
  // The mean of the logarithms of 1 and 5/3.
  const edge = Math.sqrt(5 / 3);
  assertEquals(of(1000, 1000 * edge - 1), [32, 32]);
  assertEquals(of(1000, 1000 * edge + 1), [24, 40]);
  for (let width = 100; width < 1000; width += 37) {
    assertEquals(String(of(300, width)), of(width, 300)!.toReversed().join());
  }
});
