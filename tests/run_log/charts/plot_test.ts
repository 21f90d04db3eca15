import { type Line, makePlot, visible } from "../../../run_log/charts/plot.ts";
import type { Shape } from "../../../run_log/charts/shapes.ts";
import { assert, assertAlmostEquals, assertEquals } from "../../support/assert.ts";

const points = (values: number[]) => ({ steps: values.map((_, i) => 10 * (i + 1)), values });
const frame = { left: 50, top: 10, width: 200, height: 100 };

function all(shapes: readonly Shape[]): Shape[] {
  return shapes.flatMap((one) => [
    one,
    ...all(one.children.filter((child) => typeof child !== "string")),
  ]);
}

function plotOf(line: Partial<Line>, range: [number, number] | null = null) {
  const lines = [{ id: "a", label: "a", colour: 3, points: points([1, 2, 4]), ...line }];
  return makePlot({ frame, x: { label: "" }, y: { label: "", log: true }, lines, range });
}

Deno.test("makePlot() places values where it draws them, and gives a chosen range its whole width", () => {
  const { shapes, left, top, contains } = plotOf({ marks: true }, [10, 20]);
  assertEquals([left(10), left(20), contains(20), contains(30)], [50, 250, true, false]);
  // y spans what is inside the range, evenly in the logarithm.
  assertAlmostEquals(top(Math.SQRT2), 60);
  const circles = all(shapes).filter(({ name }) => name === "circle");
  assertEquals(circles.map(({ attributes }) => attributes["cx"]), [50, 250]);
  assertEquals(circles[1]!.attributes["class"], "colour-3");
  assertAlmostEquals(Number(circles[1]!.attributes["cy"]), top(2));
});

Deno.test("makePlot() leaves a gap where a value has no place, and ends a range at the axis there", () => {
  const values = [1, 2, NaN, 4, 0, 3];
  const { shapes } = plotOf({ points: points(values), low: values.map(() => -1), high: values });
  const of = (name: string) =>
    all(shapes).filter(({ attributes }) => `${attributes["class"]}`.startsWith(`${name} `))
      .map(({ attributes }) => `${attributes["d"]}`);
  assertEquals(of("line")[0]!.match(/M/g)?.length, 3);
  assert(!of("line")[0]!.includes("NaN") && !of("area")[0]!.includes("NaN"));
  assert(of("area")[0]!.includes(" 110"), "the lower end is at the axis");
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
