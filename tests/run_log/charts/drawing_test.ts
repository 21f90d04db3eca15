import { colourAt, shortNumber } from "../../../run_log/charts/colours.ts";
import { heatMap } from "../../../run_log/charts/heat_drawing.ts";
import { rangeOf } from "../../../run_log/charts/heat_map.ts";
import { lineChart } from "../../../run_log/charts/line_chart.ts";
import { formatTick, makeScale, octaveTicks } from "../../../run_log/charts/scale.ts";
import {
  escapeText,
  grid,
  paletteColour,
  paletteDash,
  svgDocument,
  text,
} from "../../../run_log/charts/svg.ts";
import { rasterizeSvg } from "../../../formats/svg_raster.ts";
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStringIncludes,
} from "../../support/assert.ts";

Deno.test("makeScale() places values from 0 to 1, evenly in the logarithm where that is asked", () => {
  const linear = makeScale([0, 10], { label: "" }, 0);
  assertEquals([0, 5, 10].map((value) => linear.place(value)), [0, 0.5, 1]);
  assertEquals(linear.ticks.map(({ value }) => value), [0, 2, 4, 6, 8, 10]);
  const log = makeScale([0.01, 100, -1, NaN], { label: "", log: true }, 0);
  assertAlmostEquals(log.place(1), 0.5);
  assertEquals(log.ticks.filter(({ label }) => label !== "").map(({ value }) => value), [
    ...[0.01, 0.1, 1, 10, 100],
  ]);
});

Deno.test("makeScale() has ticks whatever the range, also of one value and of none", () => {
  for (const log of [false, true]) {
    for (const values of [[1], [], [0.11, 0.12], [3, 7], [1e-9, 1e9], [0.98, 130]]) {
      const { ticks, low, high } = makeScale(values, { label: "", log });
      const labelled = ticks.filter(({ label }) => label !== "");
      assert(labelled.length >= 2 && labelled.length <= 12, `${log} ${values}: ${labelled.length}`);
      for (const { value } of ticks) {
        assert(value >= low * (1 - 1e-9) && value <= high * (1 + 1e-9));
      }
    }
  }
});

Deno.test("formatTick() writes numbers as people do", () => {
  assertEquals([0, 0.05, 20, 1500, 12000, -3, 1e-5, 2.5e7].map(formatTick), [
    ...["0", "0.05", "20", "1500", "12k", "−3", "10^{−5}", "2.5·10^{7}"],
  ]);
  assertEquals(octaveTicks(9).map(({ label }) => label), ["1", "2", "4", "8"]);
});

Deno.test("text() raises and lowers parts and escapes what SVG would read", () => {
  const line = text(1, 2, "a<b 10^{−3} x_{0} & c_d");
  assertEquals(line.replaceAll(/<[^>]*>/g, ""), "a&lt;b 10−3 x0 &amp; c_d");
  // Whatever goes up comes down again.
  const shifts = [...line.matchAll(/dy="([^"]*)"/g)].map(([, value]) => Number(value));
  assertEquals(shifts.length, 4);
  assertAlmostEquals(shifts.reduce((sum, value) => sum + value, 0), 0, 0.02);
  assertEquals(escapeText('"'), "&quot;");
});

Deno.test("heatMap() has a cell for every value, bright text on dark colours", () => {
  const values = [[0.01, null], [1, 0.1]];
  assertEquals(rangeOf([values]), [0.01, 1]);
  const shared = { rows: ["a", "b"], columns: ["c", "d"], rowLabel: "r", columnLabel: "c" };
  const { content } = heatMap({ ...shared, title: "t", values, range: [0.01, 1] });
  assertEquals(content.match(/<rect/g)?.length, 4);
  assertStringIncludes(content, ">0.01<");
  assertEquals([1234.5, 0.0312, 52.4, 1e-7, 0].map(shortNumber), [
    "1200",
    "0.031",
    "52",
    "1e-7",
    "0",
  ]);
  assertEquals(colourAt(["#000000", "#ffffff"], 0.5), "#808080");
});

Deno.test("lineChart() draws bands and lines inside its axes and leaves out what a log scale cannot show", async () => {
  const points = [1, 2, 3].map((x) => ({ x, y: 10 ** -x, low: 10 ** -x / 2, high: 2 * 10 ** -x }));
  const chart = lineChart({
    title: "title",
    x: { label: "x" },
    y: { label: "y", log: true },
    series: [
      { label: "one", colour: "#0072b2", points },
      { label: "two", colour: "#d55e00", points: [...points, { x: 4, y: 0 }, { x: 5, y: NaN }] },
    ],
  });
  assertEquals(chart.content.match(/fill-opacity/g)?.length, 2);
  assert(!chart.content.includes("NaN"));
  const svg = svgDocument(grid([chart, chart, chart], 2));
  assert((await rasterizeSvg(svg, 1)).length > 1000);
});

Deno.test("paletteColour() and paletteDash() tell 28 series apart", () => {
  const looks = Array.from({ length: 28 }, (_, i) => `${paletteColour(i)} ${paletteDash(i)}`);
  assertEquals(new Set(looks).size, 28);
  const dashed = lineChart({
    title: "",
    x: { label: "" },
    y: { label: "" },
    series: [{
      label: "a",
      colour: "#000000",
      dash: "9 3",
      points: [{ x: 0, y: 0 }, { x: 1, y: 1 }],
    }],
  });
  assertStringIncludes(dashed.content, `stroke-dasharray="9 3"`);
});
