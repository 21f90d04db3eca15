import {
  classShare,
  ClassTally,
  shownClasses,
  withinClasses,
} from "../../../metrics/judges/class_metrics.ts";
import { frechetDistance } from "../../../metrics/numerics/frechet.ts";
import { Moments } from "../../../metrics/numerics/moments.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { randomValues } from "../../support/gpu.ts";

Deno.test("classShare() is the share of images whose likeliest class is their own, class by class", () => {
  const tally = new ClassTally(3);
  tally.add(Float32Array.of(0.7, 0.2, 0.1, 0.2, 0.5, 0.3), [0, 0]);
  tally.add(Float32Array.of(0.1, 0.6, 0.3), [1]);
  const [share] = classShare(tally, "own");
  assertEquals([share!.value, share!.byClass], [2 / 3, [0.5, 1, null]]);
  assertEquals(share!.note, "least 0.500, class 0");
  assertEquals(classShare(new ClassTally(3), "own"), []);
  // Two of the three are taken for class 1.
  const [shown] = shownClasses(tally, "own");
  assertEquals(shown!.byClass, [1 / 3, 2 / 3, 0]);
  assertAllClose([shown!.value], [Math.log2(3) - 2 / 3], { rtol: 1e-12, atol: 0 });
  assertThrows(
    () => tally.add(new Float32Array(3), [3]),
    RangeError,
    "must be below 3, those of the classifier, got 3",
  );
});

Deno.test("withinClasses() compares each class with the same class, and means over those of both", () => {
  const dimension = 2, n = 24;
  // Class 1 has moved; class 2 has no reference, and class 0 is the same.
  const rows = Float32Array.from(randomValues(2 * n, 3));
  const labels = Array.from({ length: n }, (_, i) => i % 3);
  const moved = rows.map((value, i) => value + (labels[Math.floor(i / 2)] === 1 ? 9 : 0));
  const known = labels.filter((label) => label < 2);
  const ofKnown = rows.filter((_, i) => labels[Math.floor(i / 2)]! < 2);
  const found = withinClasses(
    { kept: { dimension, rows: moved }, labels },
    { kept: { dimension, rows: ofKnown }, labels: known },
    "own",
  );
  const gaussian = (values: Float32Array, label: number) => {
    const moments = new Moments(dimension);
    moments.add(values.filter((_, i) => labels[Math.floor(i / 2)] === label));
    return moments.gaussian();
  };
  const { distance } = frechetDistance(gaussian(moved, 1), gaussian(rows, 1));
  const [frechet, precision] = found;
  assertAllClose([frechet!.value], [distance / 2], { rtol: 1e-6, atol: 1e-9 });
  assertEquals(frechet!.byClass![2], null);
  // What has moved by 9 lies outside of all balls; what has not lies inside.
  assertEquals(precision!.byClass, [1, 0, null]);
  assertEquals(precision!.note, "least 0.00, class 1");
});
