import { octaveOf, octaves, radialFrequencies, unitRings } from "../../diffusion/frequency.ts";
import { assertAllClose, assertEquals } from "../support/assert.ts";

Deno.test("radialFrequencies() folds each axis and counts along the shorter side", () => {
  assertAllClose(radialFrequencies(2, 3), [
    0,
    2 / 3,
    2 / 3,
    1,
    Math.hypot(1, 2 / 3),
    Math.hypot(1, 2 / 3),
  ]);
  const square = radialFrequencies(32, 32);
  assertEquals([square[1], square[31], square[16], square[32 * 16]], [1, 1, 16, 16]);
  assertAllClose([square[32 * 16 + 16]!], [16 * Math.SQRT2]);
});

Deno.test("octaves() puts 2^j <= |k| < 2^(j+1) into one ring, and the mean alone", () => {
  assertEquals([0, 1, 1.9, 2, 3.99, 4, 15.9, 16].map(octaveOf), [0, 1, 1, 2, 2, 3, 4, 5]);
  const { index, count } = octaves(32, 32);
  assertEquals(count, 6);
  const sizes = Array.from({ length: count }, (_, j) => index.filter((i) => i === j).length);
  assertEquals(sizes.reduce((a, b) => a + b), 1024);
  assertEquals(sizes.slice(0, 2), [1, 8]);
  assertEquals(unitRings(32, 32).count, 24);
});

Deno.test("octaves() and unitRings() part planes of any size, and leave no part empty", () => {
  for (const [height, width] of [[512, 512], [509, 250], [8, 1024], [5, 7], [88, 33]] as const) {
    for (const { index, count } of [octaves(height, width), unitRings(height, width)]) {
      assertEquals(index.length, height * width);
      assertEquals(new Set(index).size, count, `${height}x${width}`);
    }
  }
});
