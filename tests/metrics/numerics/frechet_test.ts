import { frechetDistance } from "../../../metrics/numerics/frechet.ts";
import { type Gaussian, Moments } from "../../../metrics/numerics/moments.ts";
import { FrechetEstimator } from "../../../metrics/numerics/newton_schulz.ts";
import {
  assert,
  assertAllClose,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../support/assert.ts";
import { randomValues, testGpu } from "../../support/gpu.ts";

function diagonal(mean: number[], variances: number[]): Gaussian {
  const d = mean.length;
  const covariance = new Float64Array(d * d);
  variances.forEach((value, i) => void (covariance[i * d + i] = value));
  return { dimension: d, mean: Float64Array.from(mean), covariance };
}

/** Moments of `count` correlated rows. */
function sample(count: number, d: number, seed: number): Gaussian {
  const rows = randomValues(count * d, seed);
  for (let i = 1; i < rows.length; i++) rows[i] = rows[i]! + 0.5 * rows[i - 1]! + seed / 50;
  const moments = new Moments(d);
  moments.add(rows);
  return moments.gaussian();
}

Deno.test("frechetDistance() is the closed form where covariances are diagonal", () => {
  const a = diagonal([0, 1, 2], [1, 4, 9]), b = diagonal([1, 1, 0], [4, 4, 1]);
  const { distance, meanTerm, traceRoot, fullRank } = frechetDistance(a, b);
  // Sum of (m1 - m2)^2 + (s1 - s2)^2.
  assertAlmostEquals(distance, 1 + 0 + 4 + 1 + 0 + 4, 1e-12);
  assertAlmostEquals(meanTerm, 5, 1e-12);
  assertAlmostEquals(traceRoot, 2 + 4 + 3, 1e-12);
  assert(fullRank);
});

Deno.test("frechetDistance() is symmetric, and 0 between equals", () => {
  const a = sample(100, 23, 1), b = sample(80, 23, 2);
  const there = frechetDistance(a, b).distance, back = frechetDistance(b, a).distance;
  assert(there > 0.1);
  assertAlmostEquals(there, back, 1e-11);
  assertAlmostEquals(frechetDistance(a, a).distance, 0, 1e-11);
});

Deno.test("frechetDistance() takes rank-deficient covariances and says so", () => {
  // The first lies in the first two axes, the second in the last two: the roots meet in one.
  const result = frechetDistance(diagonal([0, 0, 0], [4, 9, 0]), diagonal([0, 0, 0], [0, 4, 25]));
  assertAlmostEquals(result.distance, 4 + 9 + 4 + 25 - 2 * 6, 1e-12);
  assertEquals(result.ranks, [2, 2]);
  assert(!result.fullRank);
  const few = frechetDistance(sample(12, 40, 1), sample(200, 40, 2));
  assertEquals(few.ranks, [11, 40]);
  assert(!few.fullRank && few.distance > 0);
});

Deno.test("frechetDistance() refuses sides that differ and values that are not finite", () => {
  const a = diagonal([0, 0], [1, 1]);
  assertThrows(() => frechetDistance(a, diagonal([0], [1])), RangeError, "got 2 and 1");
  assertThrows(() => frechetDistance(a, diagonal([NaN, 0], [1, 1])), RangeError, "finite");
  assertThrows(
    () => frechetDistance(a, { ...a, covariance: new Float64Array(3) }),
    RangeError,
    "a covariance of 4",
  );
});

Deno.test("Moments does not depend on how rows are cut into batches, and loses nothing to large means", () => {
  const d = 7, n = 101;
  const rows = Float64Array.from(randomValues(n * d, 4), (x) => x + 1e6);
  const mean = new Float64Array(d), covariance = new Float64Array(d * d);
  for (let i = 0; i < rows.length; i++) mean[i % d] = mean[i % d]! + rows[i]! / n;
  for (let i = 0; i < n; i++) {
    for (let a = 0; a < d; a++) {
      for (let b = 0; b < d; b++) {
        covariance[a * d + b] = covariance[a * d + b]! +
          (rows[i * d + a]! - mean[a]!) * (rows[i * d + b]! - mean[b]!) / (n - 1);
      }
    }
  }
  for (const size of [1, 8, n]) {
    const whole = new Moments(d), part = new Moments(d);
    for (let at = 0; at < n; at += size) {
      (at < 50 ? whole : part).add(rows.subarray(at * d, (at + size) * d));
    }
    whole.merge(part);
    assertEquals(whole.count, n);
    assertAllClose(whole.mean, mean, { rtol: 1e-14 });
    assertAllClose(whole.covariance(), covariance, { rtol: 0, atol: 1e-8 });
  }
});

Deno.test("Moments restored goes on bit for bit", () => {
  const rows = randomValues(60 * 5, 3);
  const whole = new Moments(5), begun = new Moments(5);
  whole.add(rows.subarray(0, 100));
  begun.add(rows.subarray(0, 100));
  const again = new Moments(5).restore(begun.count, begun.mean.slice(), begun.scatter.slice());
  whole.add(rows.subarray(100));
  again.add(rows.subarray(100));
  assertEquals(again.gaussian(), whole.gaussian());
});

Deno.test("Moments refuses half rows, values that are not finite and too few rows", () => {
  const moments = new Moments(3);
  assertThrows(() => moments.add(new Float64Array(4)), RangeError, "rows of 3");
  assertThrows(() => moments.add(Float64Array.of(1, NaN, 1)), RangeError, "must be finite");
  moments.add(Float64Array.of(1, 2, 3));
  assertThrows(() => moments.covariance(), RangeError, "more than 1 rows, got 1");
  assertThrows(() => moments.merge(new Moments(2)), RangeError, "must have 3 features, got 2");
});

Deno.test("FrechetEstimator comes within half a percent on the GPU, as often as it is asked", async () => {
  const gpu = await testGpu();
  const a = sample(400, 33, 1), b = sample(300, 33, 2);
  const estimator = await FrechetEstimator.create(gpu, 33);
  const made = { ...gpu.counters, submits: 0 };
  for (const [x, y] of [[a, b], [b, a], [a, b]] as const) {
    const exact = frechetDistance(x, y).distance;
    assertAllClose([await estimator.estimate(x, y) ?? NaN], [exact], { rtol: 5e-3 });
  }
  assertEquals({ ...gpu.counters, submits: 0 }, made);
  await assertRejects(() => estimator.estimate(a, sample(9, 4, 1)), RangeError, "33 and 4");
  estimator.destroy();
});

Deno.test("FrechetEstimator has no answer, or a fair one, where a covariance is singular", async () => {
  const gpu = await testGpu();
  const a = sample(12, 33, 1), b = sample(300, 33, 2);
  const estimator = await FrechetEstimator.create(gpu, 33);
  const estimate = await estimator.estimate(a, b);
  const exact = frechetDistance(a, b).distance;
  assert(estimate === null || Math.abs(estimate / exact - 1) < 0.05, `${estimate} of ${exact}`);
  estimator.destroy();
});
