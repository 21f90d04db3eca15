import { InceptionScorer } from "../../../metrics/judges/inception_score.ts";
import {
  kernelDistance,
  squaredDiscrepancy,
  studentQuantile,
} from "../../../metrics/judges/kid.ts";
import { manifoldMetrics } from "../../../metrics/judges/precision_recall.ts";
import { RadialSpectrum } from "../../../metrics/numerics/radial_spectrum.ts";
import {
  assert,
  assertAllClose,
  assertAlmostEquals,
  assertEquals,
  assertThrows,
} from "../../support/assert.ts";
import { permutation } from "../../../support/philox.ts";
import { randomValues } from "../../support/gpu.ts";

const set = (count: number, dimension: number, seed: number, shift = 0) => ({
  dimension,
  rows: randomValues(count * dimension, seed).map((x) => x + shift),
});

Deno.test("InceptionScorer gives 1 for equal predictions and the number of classes for certain, even ones", () => {
  const even = new InceptionScorer(20, 4, 2);
  even.add(new Float32Array(80).fill(0.25));
  assertAlmostEquals(even.score().mean, 1, 1e-12);
  const certain = new InceptionScorer(20, 4, 5, { contiguous: true });
  certain.add(Float32Array.from({ length: 80 }, (_, i) => i % 4 === Math.floor(i / 4) % 4 ? 1 : 0));
  assertAllClose(certain.score().splits, [4, 4, 4, 4, 4], { rtol: 1e-12 });
  assertEquals(certain.score().std, 0);
});

Deno.test("InceptionScorer cuts contiguous splits if it should, and its ddof is a choice", () => {
  // Seven images in two splits: three and four.
  const scorer = new InceptionScorer(7, 2, 2, { contiguous: true });
  const sure = [1, 0, 0, 1, 1, 0], unsure = [0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5, 0.5];
  scorer.add([...sure, ...unsure.slice(0, 2)]);
  scorer.add(unsure.slice(2));
  const first = Math.exp(-(2 / 3) * Math.log(2 / 3) - (1 / 3) * Math.log(1 / 3));
  const { mean, std, splits } = scorer.score();
  assertAllClose(splits, [first, 1], { rtol: 1e-12 });
  assertAlmostEquals(mean, (first + 1) / 2, 1e-12);
  assertAlmostEquals(std, (first - 1) / 2, 1e-12);
  assertAlmostEquals(scorer.score({ ddof: 1 }).std, (first - 1) / Math.SQRT2, 1e-12);
});

/** Rows of `classes` classes with some noise, one class after the other, or in a random order. */
function byClass(count: number, classes: number, sorted: boolean, seed: number) {
  const noise = randomValues(count * classes, seed, 0.3);
  const order = sorted
    ? Uint32Array.from({ length: count }, (_, i) => i)
    : permutation(count, { seed, epoch: 0, stream: 9 });
  const rows = new Float64Array(count * classes);
  for (const [to, from] of order.entries()) {
    const label = Math.floor(from * classes / count);
    for (let c = 0; c < classes; c++) {
      rows[to * classes + c] = (c === label ? 2 : 0) + noise[from * classes + c]!;
    }
  }
  return { dimension: classes, rows };
}

Deno.test("InceptionScorer gives images that are sorted by class the score of the same in any order", () => {
  const scoreOf = (sorted: boolean) => {
    const { rows } = byClass(1000, 10, sorted, 5);
    const scorer = new InceptionScorer(1000, 10);
    for (let i = 0; i < 1000; i++) {
      const scores = rows.subarray(10 * i, 10 * (i + 1)).map((value) => Math.exp(4 * value));
      const sum = scores.reduce((a, b) => a + b, 0);
      scorer.add(scores.map((value) => value / sum));
    }
    return scorer.score();
  };
  const sorted = scoreOf(true), mixed = scoreOf(false);
  assert(mixed.mean > 7, `${mixed.mean}`);
  // Standard errors of two means over ten splits.
  const error = Math.hypot(sorted.std, mixed.std) / 3;
  assert(Math.abs(sorted.mean - mixed.mean) < 3 * error, `${sorted.mean} and ${mixed.mean}`);
});

Deno.test("kernelDistance() of rows that are sorted by class is that of the same in any order", () => {
  const other = byClass(1500, 10, false, 7);
  const sorted = kernelDistance(byClass(1000, 10, true, 6), other);
  const mixed = kernelDistance(byClass(1000, 10, false, 6), other);
  const error = Math.hypot(sorted.standardError!, mixed.standardError!);
  assert(Math.abs(sorted.distance - mixed.distance) < 3 * error, `${sorted.distance}`);
  assert(Math.abs(sorted.distance) < 0.02 && sorted.standardError! < 0.02, `${sorted.distance}`);
  const both = byClass(1000, 10, true, 6), same = kernelDistance(both, byClass(1000, 10, true, 6));
  assert(Math.abs(same.distance) < 3 * same.standardError!, "blocks of one set meet others of it");
});

Deno.test("InceptionScorer refuses missing, surplus and impossible images", () => {
  const scorer = new InceptionScorer(2, 2, 1);
  assertThrows(() => scorer.score(), RangeError, "all 2 images must have come, got 0");
  assertThrows(() => scorer.add([1, 0, 1, 0, 1, 0]), RangeError, "at most 2");
  assertThrows(() => scorer.add([NaN, 0]), RangeError, "got NaN");
  assertThrows(() => new InceptionScorer(3, 2, 4), RangeError, "from 1 to the 3 images");
});

Deno.test("squaredDiscrepancy() matches a double loop", () => {
  const d = 5, x = set(11, d, 1), y = set(7, d, 2, 0.3);
  const k = (a: ArrayLike<number>, i: number, b: ArrayLike<number>, j: number) => {
    let dot = 0;
    for (let c = 0; c < d; c++) dot += a[i * d + c]! * b[j * d + c]!;
    return (dot / d + 1) ** 3;
  };
  let xx = 0, yy = 0, xy = 0;
  for (let i = 0; i < 11; i++) {
    for (let j = 0; j < 11; j++) if (i !== j) xx += k(x.rows, i, x.rows, j) / 110;
    for (let j = 0; j < 7; j++) xy += k(x.rows, i, y.rows, j) / 77;
  }
  for (let i = 0; i < 7; i++) {
    for (let j = 0; j < 7; j++) if (i !== j) yy += k(y.rows, i, y.rows, j) / 42;
  }
  assertAlmostEquals(squaredDiscrepancy(x, y).unbiased, xx + yy - 2 * xy, 1e-12);
});

Deno.test("kernelDistance() covers 0 between samples of one distribution and not between two", () => {
  const same = kernelDistance(set(500, 6, 1), set(500, 6, 2));
  const other = kernelDistance(set(500, 6, 1), set(500, 6, 2, 0.5));
  assertEquals([same.blocks, same.blockSize], [5, 100]);
  assert(same.interval![0] < 0 && same.interval![1] > 0, `${same.interval}`);
  assert(other.interval![0] > 0, `${other.interval}`);
  const tiny = kernelDistance(set(3, 6, 1), set(9, 6, 2));
  assertEquals([tiny.blocks, tiny.standardError, tiny.interval], [1, null, null]);
});

Deno.test("kernelDistance() refuses single rows and other dimensions", () => {
  assertThrows(() => kernelDistance(set(1, 6, 1), set(9, 6, 2)), RangeError, "at least two rows");
  assertThrows(() => kernelDistance(set(9, 5, 1), set(9, 6, 2)), RangeError, "as many features");
});

Deno.test("studentQuantile() is near the table's values", () => {
  const table: [number, number][] = [[1, 12.706], [5, 2.571], [9, 2.262], [30, 2.042], [99, 1.984]];
  for (const [freedom, value] of table) {
    assertAllClose([studentQuantile(freedom)], [value], { rtol: 3e-3 });
  }
});

/** Points on a line, for which neighbours can be counted by hand. */
const line = (...rows: number[]) => ({ dimension: 1, rows: Float64Array.from(rows) });

Deno.test("manifoldMetrics() counts by hand on a line", () => {
  // k = 1: real balls reach 1, 1, 1, 7; generated ones 0.5, 0.5, 19.
  const metrics = manifoldMetrics(line(0, 1, 2, 9), line(0.5, 1, 20), { manifold: 1, density: 1 });
  assertAlmostEquals(metrics.precision, 2 / 3, 1e-12);
  // 0.5 +- 0.5 holds 0 and 1, 20 +- 19 holds 1, 2 and 9.
  assertAlmostEquals(metrics.recall, 1, 1e-12);
  // 0.5 is in the balls of 0 and 1; 1 in those of 0, 1, 2.
  assertAlmostEquals(metrics.density, 5 / 3, 1e-12);
  assertAlmostEquals(metrics.coverage, 3 / 4, 1e-12);
});

Deno.test("manifoldMetrics() tells a collapsed set from one that is off", () => {
  const real = set(300, 4, 1);
  const collapsed = { dimension: 4, rows: set(300, 4, 2).rows.map((x) => x * 0.1) };
  const off = set(300, 4, 3, 20);
  const inside = manifoldMetrics(real, collapsed);
  assert(inside.precision > 0.95 && inside.recall < 0.3, JSON.stringify(inside));
  assertEquals(manifoldMetrics(real, off), { precision: 0, recall: 0, density: 0, coverage: 0 });
  const like = manifoldMetrics(real, set(300, 4, 4));
  assert(like.precision > 0.8 && like.recall > 0.8 && like.coverage > 0.8, JSON.stringify(like));
});

Deno.test("manifoldMetrics() refuses sets that are no larger than the neighbourhood", () => {
  assertThrows(() => manifoldMetrics(set(5, 2, 1), set(9, 2, 2)), RangeError, "more than 5 rows");
});

/** One image of a plane wave with so many cycles in `side` pixels across and down. */
function wave(side: number, across: number, down: number, channels = 1, height = side) {
  const images = new Uint8Array(height * side * channels);
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < side; x++) {
      const value = 127.5 + 100 * Math.cos(2 * Math.PI * (across * x + down * y) / side);
      images.fill(Math.round(value), (y * side + x) * channels, (y * side + x + 1) * channels);
    }
  }
  return { images, count: 1, height, width: side, channels };
}

for (const side of [8, 9, 28]) {
  Deno.test(`RadialSpectrum finds a wave in its ring, for a side of ${side}`, () => {
    const spectrum = new RadialSpectrum(side, side);
    assertEquals(spectrum.dimension, Math.floor(side / 2));
    for (const [across, down, ring] of [[1, 0, 1], [0, 2, 2], [2, 2, 3], [3, -2, 4]] as const) {
      for (const channels of [1, 3]) {
        const powers = spectrum.features(wave(side, across, down, channels));
        assertEquals(powers.indexOf(Math.max(...powers)), ring - 1);
      }
    }
    const high = new RadialSpectrum(2 * side, side);
    const powers = high.features(wave(side, 2, 2, 1, 2 * side));
    assertEquals([powers.length, powers.indexOf(Math.max(...powers))], [spectrum.dimension, 2]);
  });
}

Deno.test("RadialSpectrum conserves power: rings of noise hold its variance", () => {
  const side = 16, count = 200;
  const images = Uint8Array.from(
    randomValues(count * side * side, 8, 20),
    (x) => Math.round(127.5 + x),
  );
  const rows = new RadialSpectrum(side, side).features({
    images,
    count,
    height: side,
    width: side,
    channels: 1,
  });
  let variance = 0;
  for (const byte of images) variance += ((byte - 127.5) / 127.5) ** 2 / images.length;
  const rings = new Float64Array(8);
  rows.forEach((log, i) => void (rings[i % 8] = rings[i % 8]! + Math.exp(log) / count));
  assertAllClose(rings, new Array(8).fill(variance), { rtol: 0.1 });
  assertThrows(
    () => new RadialSpectrum(16, 16).features(wave(8, 1, 1)),
    RangeError,
    "must be 16x16",
  );
});
