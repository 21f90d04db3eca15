import { visible } from "../../../run_log/charts/plot.ts";
import { meanOf, nearest, smooth } from "../../../commands/dashboard/page/lines.ts";
import { assert, assertAllClose, assertEquals } from "../../support/assert.ts";

const points = (values: number[]) => ({ steps: values.map((_, i) => 10 * (i + 1)), values });

Deno.test("smooth() averages around each point, keeps ends and leaves straight lines as they are", () => {
  const straight = points(Array.from({ length: 40 }, (_, i) => 3 * i));
  assertAllClose(smooth(straight, 1).values, straight.values);
  const spike = points(Array.from({ length: 40 }, (_, i) => i === 20 ? 5 : 0));
  const { values } = smooth(spike, 1);
  assertAllClose([values[14]!, values[15]!, values[20]!], [0, 5 / 11, 5 / 11]);
  assertEquals(smooth(spike, 0).values, spike.values);
  assertEquals(smooth(points([1]), 1).values, [1]);
  assertEquals(smooth(points([]), 1).values, []);
});

Deno.test("meanOf() takes the steps that all curves have", () => {
  const a = { steps: [1, 2, 3], values: [1, 2, 3] };
  const b = { steps: [2, 3, 4], values: [4, 5, 6] };
  assertEquals(meanOf([a, b]), {
    ...{ points: { steps: [2, 3], values: [3, 4] }, low: [2, 3], high: [4, 5] },
  });
  assertEquals(meanOf([]).points, { steps: [], values: [] });
});

Deno.test("visible() keeps the extremes of each column and the ends", () => {
  const many = points(Array.from({ length: 10_000 }, (_, i) => i === 5432 ? 99 : Math.sin(i)));
  const kept = visible(many, 100, (step) => (step - 10) / 99_990);
  assert(kept.length <= 203, `${kept.length} points`);
  assert(kept.includes(0) && kept.includes(5432) && kept.includes(9999), "ends and the spike");
  assertEquals(kept, kept.toSorted((a, b) => a - b));
});

Deno.test("visible() keeps one neighbour outside of a range on each side, so that lines reach its edges", () => {
  const ten = points(Array.from({ length: 10 }, (_, i) => i));
  assertEquals(visible(ten, 100, (step) => (step - 45) / 30), [3, 4, 5, 6, 7]);
  assertEquals(visible(points([]), 100, () => 0), []);
  assertEquals(visible(points([7]), 100, () => 0), [0]);
  // Steps without a place on a logarithmic axis.
  assertEquals(visible({ steps: [0, 1, 10], values: [1, 2, 3] }, 10, Math.log10), [1, 2]);
});

Deno.test("nearest() finds the step that is nearest", () => {
  const steps = [1, 5, 6, 100];
  assertEquals([-9, 2, 4, 5.6, 50, 60, 999].map((step) => nearest(steps, step)), [
    ...[0, 0, 1, 2, 2, 3, 3],
  ]);
  assertEquals(nearest([], 1), -1);
});
