import {
  bandCurves,
  bandMeans,
  learningTimes,
  smoothed,
} from "../../../metrics/instruments/learning_times.ts";
import { assertAllClose, assertEquals } from "../../support/assert.ts";

Deno.test("bandMeans() weighs bins alike and leaves empty ones out", () => {
  assertEquals(bandMeans([[1, 10], [3, 30], [null, null]]), [2, 20]);
});

Deno.test("bandCurves() leaves out lines with empty bins", () => {
  const lines = [
    { step: 1, epsilon: [[4, 1]], x0: [[1, 1]] },
    { step: 2, epsilon: [[null, null]], x0: [[1, 1]] },
    { step: 3, epsilon: [[2, 1]], x0: [[1, 1]] },
  ];
  assertEquals(bandCurves(lines), [
    [{ step: 1, loss: 4 }, { step: 3, loss: 2 }],
    [{ step: 1, loss: 1 }, { step: 3, loss: 1 }],
  ]);
});

Deno.test("learningTimes() of an exponential decay are those of theory", () => {
  const curve = Array.from({ length: 401 }, (_, i) => ({ step: i, loss: 1 + Math.exp(-i / 50) }));
  assertAllClose(learningTimes(curve).map(Number), [50 * Math.log(2), 50 * Math.log(10)], {
    rtol: 0.02,
  });
});

Deno.test("learningTimes() interpolates between lines and knows a loss that does not fall", () => {
  const points = (losses: number[]) => losses.map((loss, i) => ({ step: 10 * (i + 1), loss }));
  assertEquals(learningTimes(points([4, 2, 0])), [20, 28]);
  assertEquals(learningTimes(points([1, 1])), [null, null]);
  assertEquals(learningTimes([]), [null, null]);
});

Deno.test("smoothed() keeps straight lines straight", () => {
  const line = Array.from({ length: 100 }, (_, i) => ({ step: i, loss: i }));
  assertAllClose(smoothed(line).map(({ loss }) => loss), line.map(({ loss }) => loss));
});
