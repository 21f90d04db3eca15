import { meanOf, nearest, smooth } from "../../../commands/dashboard/page/lines.ts";
import { assertAllClose, assertEquals } from "../../support/assert.ts";

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

Deno.test("nearest() finds the step that is nearest", () => {
  const steps = [1, 5, 6, 100];
  assertEquals([-9, 2, 4, 5.6, 50, 60, 999].map((step) => nearest(steps, step)), [
    ...[0, 0, 1, 2, 2, 3, 3],
  ]);
  assertEquals(nearest([], 1), -1);
});
