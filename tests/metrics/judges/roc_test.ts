import {
  averagePrecision,
  reconstructionScores,
  rocCurve,
  separation,
} from "../../../metrics/judges/roc.ts";
import {
  assertAllClose,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "../../support/assert.ts";
import { randomValues } from "../../support/gpu.ts";

Deno.test("separation() is 1 and 0 where sets part, one half where they are one", () => {
  assertEquals(separation([1, 2, 3], [4, 5]), { auroc: 1, fpr95: 0 });
  assertEquals(separation([4, 5], [1, 2, 3]), { auroc: 0, fpr95: 1 });
  assertEquals(separation([7, 7, 7], [7, 7]), { auroc: 0.5, fpr95: 1 });
});

Deno.test("separation() counts pairs, equal ones as half", () => {
  const inliers = Array.from(randomValues(57, 1), (x) => Math.round(4 * x));
  const outliers = Array.from(randomValues(83, 2), (x) => Math.round(4 * x) + 2);
  let pairs = 0;
  for (const a of inliers) for (const b of outliers) pairs += b > a ? 1 : b === a ? 0.5 : 0;
  const { auroc, fpr95 } = separation(inliers, outliers);
  assertAlmostEquals(auroc, pairs / (57 * 83), 1e-12);
  // 79 of 83 outliers are 95.2 %, 78 would be too few.
  const threshold = outliers.toSorted((a, b) => b - a)[78]!;
  assertAlmostEquals(fpr95, inliers.filter((a) => a >= threshold).length / 57, 1e-12);
});

Deno.test("rocCurve() counts both sides at every score, from the highest on", () => {
  assertEquals(rocCurve([1, 2, 2], [3, 2]), [
    { threshold: 3, found: 1, mistaken: 0 },
    { threshold: 2, found: 2, mistaken: 2 },
    { threshold: 1, found: 2, mistaken: 3 },
  ]);
});

Deno.test("averagePrecision() weights each precision by the recall that it adds", () => {
  assertEquals(averagePrecision([1, 2], [3, 4]), 1);
  // Half of the outliers at precision 1, the other half at 2 of 4.
  assertAlmostEquals(averagePrecision([1, 2, 2], [3, 2]), 0.5 * 1 + 0.5 * 0.5, 1e-15);
  // Where scores say nothing, it is the outliers' share.
  assertAlmostEquals(averagePrecision([7, 7, 7], [7]), 0.25, 1e-15);
});

Deno.test("separation() refuses empty sides and scores that are not finite", () => {
  assertThrows(() => separation([], [1]), RangeError, "got 0 and 1");
  assertThrows(() => separation([1], [NaN]), RangeError, "got NaN");
});

Deno.test("reconstructionScores() averages each distance over an image", () => {
  const images = Float32Array.of(0, 0, 1, -1), again = Float32Array.of(0.5, -1.5, 1, 1);
  const scores = (name: "l1" | "l2" | "huber") => reconstructionScores(name, images, again, 2);
  assertAllClose(scores("l1"), [1, 1]);
  assertAllClose(scores("l2"), [(0.25 + 2.25) / 2, 2]);
  assertAllClose(scores("huber"), [(0.125 + 1) / 2, 0.75]);
});
