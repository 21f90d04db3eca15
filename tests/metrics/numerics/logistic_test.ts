import { fitLogistic, heldOutAccuracy } from "../../../metrics/numerics/logistic.ts";
import { fitLine } from "../../../metrics/numerics/line_fit.ts";
import { isotonicFit } from "../../../metrics/numerics/isotonic.ts";
import { normals } from "./normals.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";

Deno.test("fitLogistic() is where the gradient of the loss is zero", () => {
  const x = normals(1, 240), rows = Array.from({ length: 80 }, (_, i) => x.slice(3 * i, 3 * i + 3));
  const labels = rows.map((row, i) => row[0]! - 0.5 * row[1]! + Math.sin(i) > 0.3 ? 1 : 0);
  const weights = fitLogistic(rows, labels, 0.01);
  const slope = new Float64Array(4);
  rows.forEach((row, i) => {
    const features = [1, ...row];
    const score = features.reduce((sum, value, k) => sum + value * weights[k]!, 0);
    features.forEach((value, k) => slope[k]! += (1 / (1 + Math.exp(-score)) - labels[i]!) * value);
  });
  for (let k = 1; k < 4; k++) slope[k]! += 0.01 * 80 * weights[k]!;
  assertAllClose(slope, [0, 0, 0, 0], { atol: 1e-5 });
});

Deno.test("heldOutAccuracy() is Bayes' for two Gaussians, and a half for one", () => {
  const rows = (seed: number, shift: number, count: number) => ({
    values: normals(seed, 2 * count).map((v, i) => v + (i % 2 === 0 ? shift : 0)),
    count,
  });
  // Two means apart by 2: Phi(1) = 0.841.
  const { accuracy, halfWidth, count } = heldOutAccuracy(rows(2, 0, 900), rows(3, 2, 1000), 2);
  assertEquals(count, 1800);
  assert(Math.abs(accuracy - 0.841) < 1.5 * halfWidth && halfWidth < 0.02, `${accuracy}`);
  const same = heldOutAccuracy(rows(4, 0, 500), rows(5, 0, 500), 2);
  assert(Math.abs(same.accuracy - 0.5) < 1.5 * same.halfWidth, `${same.accuracy}`);
  // Few rows of many features overfit, which held-out rows do not reward.
  const wide = (seed: number) => ({ values: normals(seed, 20 * 15), count: 20 });
  assert(heldOutAccuracy(wide(6), wide(7), 15).accuracy < 0.75);
  assertThrows(() => heldOutAccuracy(rows(1, 0, 9), rows(2, 0, 99), 2), RangeError, "at least 10");
});

Deno.test("isotonicFit() pools what falls, by weight, and leaves what rises", () => {
  assertEquals(isotonicFit([1, 2, 4]), [1, 2, 4]);
  assertEquals(isotonicFit([3, 1, 2, 5, 4]), [2, 2, 2, 4.5, 4.5]);
  assertEquals(isotonicFit([3, 0], [1, 2]), [1, 1]);
  assertEquals(isotonicFit([]), []);
});

Deno.test("fitLine() has the slope of least squares, and an error that covers the truth", () => {
  const exact = fitLine([0, 1, 2, 5], [1, -1, -3, -9])!;
  assertAllClose([exact.slope, exact.intercept, exact.error], [-2, 1, 0], { atol: 1e-12 });
  let inside = 0;
  for (let seed = 0; seed < 200; seed++) {
    const noise = normals(100 + seed, 8), x = [0, 1, 2, 3, 4, 5, 6, 7];
    const { slope, halfWidth } = fitLine(x, x.map((v, i) => 3 - v + noise[i]!))!;
    if (Math.abs(slope + 1) < halfWidth) inside++;
  }
  assert(inside > 180 && inside < 199, `${inside} of 200`);
  assertEquals([fitLine([1, 2], [1, 2]), fitLine([1, 1, 1], [1, 2, 3])], [null, null]);
});
