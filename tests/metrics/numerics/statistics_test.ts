import {
  estimate,
  holm,
  pairedProbability,
  percentileInterval,
  resample,
  smallestEffect,
  studentQuantile,
} from "../../../metrics/numerics/statistics.ts";
import { assert, assertAlmostEquals, assertEquals, assertThrows } from "../../support/assert.ts";

Deno.test("studentQuantile() matches printed tables", () => {
  // Abramowitz and Stegun, table 26.10, with more digits from the closed forms of 1 and 2 degrees.
  const rows: [p: number, degrees: number, t: number][] = [
    [0.975, 1, Math.tan(Math.PI * 0.475)],
    [0.975, 2, 0.95 / Math.sqrt(2 * 0.975 * 0.025)],
    [0.975, 4, 2.7764451],
    [0.95, 10, 1.8124611],
    [0.8, 2, 0.6 / Math.sqrt(2 * 0.8 * 0.2)],
    [0.975, 30, 2.0422725],
    [0.975, 1e6, 1.9599664],
    [0.025, 4, -2.7764451],
    [0.5, 3, 0],
  ];
  for (const [p, degrees, t] of rows) assertAlmostEquals(studentQuantile(p, degrees), t, 1e-5);
  assertThrows(() => studentQuantile(1, 3), RangeError, "between 0 and 1");
});

Deno.test("estimate() gives mean, deviation and the t interval", () => {
  const { mean, halfWidth, deviation, count } = estimate([1, 2, 3])!;
  assertEquals([mean, deviation, count], [2, 1, 3]);
  assertAlmostEquals(halfWidth!, 4.30265 / Math.sqrt(3), 1e-4);
  assertEquals(estimate([5]), { mean: 5, halfWidth: null, deviation: null, count: 1 });
  assertEquals(estimate([]), null);
});

Deno.test("smallestEffect() is what the t test needs to be seen four times in five", () => {
  assertAlmostEquals(
    smallestEffect(estimate([1, 2, 3])!)!,
    (4.30265 + 1.06066) / Math.sqrt(3),
    1e-4,
  );
  assertEquals(smallestEffect(estimate([1])!), null);
});

Deno.test("pairedProbability() is Student's two-sided t test", () => {
  // Two degrees of freedom have a closed form: p = 1 - t / sqrt(2 + t^2).
  const t = 2 / (1 / Math.sqrt(3));
  const p = pairedProbability(estimate([1, 2, 3])!)!;
  assertAlmostEquals(p, 1 - t / Math.sqrt(2 + t * t), 1e-12);
  assertAlmostEquals(pairedProbability(estimate([-3, -2, -1])!)!, p, 1e-12);
  // Where the interval's end is 0, p is 0.05.
  const { halfWidth } = estimate([1, 2, 4, 5])!;
  const shifted = [1, 2, 4, 5].map((value) => value - 3 + halfWidth!);
  assertAlmostEquals(pairedProbability(estimate(shifted)!)!, 0.05, 1e-9);
  assertEquals(pairedProbability(estimate([0, 0])!), 1);
  assertEquals([[1], [2, 2]].map((list) => pairedProbability(estimate(list)!)), [null, null]);
});

Deno.test("holm() multiplies by what is left, and never falls", () => {
  const found = holm([0.04, null, 0.01, 0.03, 0.5]);
  [0.09, null, 0.04, 0.09, 0.5].forEach((p, i) => {
    if (p === null) assertEquals(found[i]!, null);
    else assertAlmostEquals(found[i]!, p, 1e-12);
  });
  assertEquals(holm([0.9, 0.8]), [1, 1]);
  assertEquals(holm([null]), [null]);
});

Deno.test("resample() of a mean has a percentileInterval() of the width of its standard error", () => {
  const values = Array.from({ length: 400 }, (_, i) => (i * 7919 % 400) / 400);
  const options = { count: 400, rounds: 500, seed: 1 };
  const means = resample(options, (indices) => {
    let sum = 0;
    for (const i of indices) sum += values[i]!;
    return sum / indices.length;
  });
  const { low, high } = percentileInterval(means);
  const half = 1.96 * Math.sqrt(1 / 12 / 400);
  assert(Math.abs((low + high) / 2 - 0.5) < 0.01, `${low} ${high}`);
  assert(Math.abs((high - low) / 2 / half - 1) < 0.15, `${(high - low) / 2} against ${half}`);
  assertEquals(percentileInterval([3, 1, 2]), { low: 1.05, high: 2.95 });
});
