import {
  addResized,
  distanceGradient,
  pixelDistances,
} from "../../../metrics/judges/lpips_distance.ts";
import { assertAllClose, assertAlmostEquals, assertEquals } from "../../support/assert.ts";
import { randomValues } from "../../support/gpu.ts";

Deno.test("pixelDistances() goes by directions alone, each channel by its factor", () => {
  const a = Float32Array.of(3, 4, 1, 0), b = Float32Array.of(30, 40, 0, 5);
  assertAllClose(pixelDistances(a, b, Float64Array.of(0.5, 2)), [0, 2.5], { atol: 1e-9 });
});

Deno.test("distanceGradient() is the slope of the mean distance, and 0 where nothing is seen", () => {
  const channels = 5, pixels = 3, length = channels * pixels;
  const a = randomValues(length, 1), b = randomValues(length, 2);
  a.fill(0, 0, channels);
  const factors = Float64Array.from(randomValues(channels, 3), Math.abs);
  const found = new Float32Array(length);
  distanceGradient(found, a, b, factors);
  assertEquals([...found.subarray(0, channels)], [0, 0, 0, 0, 0]);
  const mean = (moved: Float32Array) =>
    pixelDistances(moved, b, factors).reduce((sum, value) => sum + value, 0) / pixels;
  for (let i = channels; i < length; i++) {
    const up = a.slice(), down = a.slice();
    up[i] = a[i]! + 1e-3;
    down[i] = a[i]! - 1e-3;
    assertAlmostEquals(found[i]!, (mean(up) - mean(down)) / (up[i]! - down[i]!), 1e-5);
  }
});

Deno.test("addResized() adds by pixel centres, and repeats the border", () => {
  const to = { height: 1, width: 4, values: Float64Array.of(10, 10, 10, 10) };
  addResized(to, { height: 2, width: 2, values: Float64Array.of(0, 4, 2, 6) });
  // The only row lies half-way between both: 1 and 5.
  assertAllClose(to.values, [11, 12, 14, 15]);
});
