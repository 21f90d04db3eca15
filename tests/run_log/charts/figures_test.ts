import { parseConfig } from "../../../config/load.ts";
import type { SampleSpectra } from "../../../metrics/instruments/spectra.ts";
import { type Figure, makeFigures } from "../../../run_log/charts/figures.ts";
import { makePage } from "../../../commands/report/page.ts";
import type { Method } from "../../../run_log/read_run.ts";
import { assert, assertEquals, assertStringIncludes } from "../../support/assert.ts";

/** A method of one run whose samples are as its data, images of `size` pixels a side. */
function methodOf(name: string, size: number, power: number): Method {
  const spectrum = {
    ...{ count: 4, exponent: 2, exponentError: 0 },
    power: Array.from({ length: size / 2 }, (_, ring) => power / (ring + 1) ** 2),
    error: Array.from({ length: size / 2 }, () => 0),
  };
  const samples = { ...spectrum, distance: 0, highBandError: 0, highBandBias: 0 } as SampleSpectra;
  const bands = [0, ...Array.from({ length: Math.log2(size / 2) }, (_, octave) => 2 ** octave)];
  const run = {
    ...{ dir: name, seed: 1, unread: null, losses: [], valLosses: [], spectra: [], picture: null },
    emergence: [],
    config: parseConfig(`{"data":{"name":"synthetic","size":${size}}}`, { path: name }),
    bandLosses: [{
      ...{ step: 1, timesteps: [0, 5, 10], bands, counts: [1, 1] },
      epsilon: [bands.map(() => 1), bands.map(() => 2)],
    }],
    final: { data: spectrum, samples },
  };
  return { name, runs: [run as unknown as Method["runs"][number]] };
}

/** The method as if trained on a folder of images. */
function onFolder({ name, runs }: Method, dir: string): Method {
  const text = JSON.stringify({ data: { name: "folder", dir, size: 8 } });
  return { name, runs: runs.map((run) => ({ ...run, config: parseConfig(text, { path: name }) })) };
}

function figure(methods: readonly Method[], name: string): Figure {
  const found = makeFigures(methods).find((figure) => figure.name === name);
  assert(found, `there is a figure ${name}`);
  return found;
}

/** Texts of a drawing, without marks of raised and lowered parts. */
function textsOf({ drawing: { content } }: Figure): string[] {
  return [...content.matchAll(/<text[^>]*>(.*?)<\/text>/g)].map(([, text = ""]) =>
    text.replaceAll(/<[^>]*>/g, "")
  );
}

Deno.test("makeFigures() puts each method's samples over the data that it was trained on", () => {
  const spectra = figure([methodOf("small", 8, 1), methodOf("wide", 32, 50)], "spectra");
  const texts = textsOf(spectra);
  for (const label of ["data of small", "data of wide"]) assert(texts.includes(label), `${texts}`);
  assertStringIncludes(
    spectra.caption,
    "a = 2.00 ± 0.00 (data of small), a = 2.00 ± 0.00 (data of",
  );
  // Samples that are as the data lie on one level, whatever the data are.
  const lines = [...spectra.drawing.content.matchAll(/<path d="M([^"]*)" class="line"/g)]
    .map(([, path = ""]) => path.split("L").map((place) => place.split(" ")[1]));
  const ratios = lines.slice(-2);
  assertEquals(ratios.map((places) => places.length), [4, 16]);
  assertEquals(new Set(ratios.flat()).size, 1);
});

Deno.test("makeFigures() draws one line of the data where all methods have the same", () => {
  const texts = textsOf(figure([methodOf("a", 8, 1), methodOf("b", 8, 1)], "spectra"));
  assertEquals(texts.filter((text) => text.startsWith("data")), ["data"]);
});

Deno.test("makeFigures() draws a line of the data for each folder of images", () => {
  const labelsOf = (...dirs: string[]) =>
    textsOf(figure(dirs.map((dir, i) => onFolder(methodOf(`m${i}`, 8, 1), dir)), "spectra"))
      .filter((text) => text.startsWith("data"));
  assertEquals(labelsOf("/cats", "/dogs"), ["data of m0", "data of m1"]);
  assertEquals(labelsOf("/cats", "/cats/"), ["data"]);
});

Deno.test("makePage() gives methods with other bands a table of learning times of their own", () => {
  const methods = [methodOf("small", 8, 1), methodOf("wide", 32, 1), methodOf("like", 8, 1)];
  const bands: Figure = { ...figure(methods, "heatmap"), name: "bands" };
  const page = makePage({ title: "", methods, figures: [bands] });
  const tables = page.split("<table>").filter((table) => table.includes("<th>steps to</th>"))
    .map((table) => table.split("</table>")[0]!);
  const namesIn = (table: string) => [...table.matchAll(/<tr><th>(\w+)<\/th>/g)].map((m) => m[1]);
  assertEquals(tables.map((table) => [...new Set(namesIn(table))]), [["small", "like"], ["wide"]]);
  assertEquals(tables.map((table) => table.includes("|k| 8+")), [false, true]);
  assertEquals(tables.map((table) => table.includes("|k| 2+")), [true, false]);
});

Deno.test("makeFigures() gives each map its own bands and compares only maps of the same ones", () => {
  const small = methodOf("small", 8, 1), wide = methodOf("wide", 32, 1);
  const titles = (methods: readonly Method[]) =>
    textsOf(figure(methods, "heatmap")).filter((text) => / over |: noise loss/.test(text));
  const different = figure([small, wide], "heatmap");
  assertEquals(different.drawing.content.match(/<rect/g)?.length, 2 * (3 + 5));
  assert(["2+", "8+"].every((label) => textsOf(different).includes(label)));
  assertEquals(titles([small, wide]), ["small: noise loss", "wide: noise loss"]);
  assertEquals(titles([small, wide, methodOf("like", 8, 1)]), [
    ...["small: noise loss", "wide: noise loss", "like: noise loss", "like over small"],
  ]);
});

Deno.test("makeFigures() sets maps of many methods in rows that a screen can hold", () => {
  const methods = Array.from({ length: 6 }, (_, i) => methodOf(`m${i}`, 8, 1));
  const four = figure(methods.slice(0, 4), "heatmap").drawing;
  const six = figure(methods, "heatmap").drawing;
  assertEquals(six.width, four.width);
  assert(six.height > 1.9 * four.height);
});
