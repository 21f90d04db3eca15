import { makePage } from "../../../commands/report/page.ts";
import { parseConfig } from "../../../config/load.ts";
import { classifierFigure, emergenceFigure } from "../../../run_log/charts/emergence_figures.ts";
import type { Method } from "../../../run_log/read_run.ts";
import { theoryOf } from "../../../run_log/theory.ts";
import { assert, assertEquals, assertMatch, assertStringIncludes } from "../../support/assert.ts";

const CONFIG = parseConfig(
  JSON.stringify({
    data: { name: "synthetic", size: 8, synthetic: { kind: "field", channels: 1, count: 64 } },
    model: { name: "linear", bins: 20 },
    diffusion: {
      ...{ timesteps: 20, betaStart: 1e-4, betaEnd: 0.5, target: "v", clipX0: false },
      sampler: { name: "ddim", steps: 20 },
    },
    optim: { name: "sgd", lr: 150, warmupSteps: 0, gradClip: 0 },
    train: { batchSize: 8 },
  }),
  { path: "test" },
);

/** A linear denoiser whose samples are what theory says, looked at so often. */
function methodOf(name: string, looks: number): Method {
  const steps = Array.from({ length: looks }, (_, i) => i === 0 ? 0 : Math.round(1.5 ** i));
  const data = theoryOf(CONFIG)!.ringPowers(1e7);
  const emergence = steps.map((step) => ({
    ...{ step, event: "emergence", count: 64, variances: [], modes: [], memorisation: null },
    ...{ data, power: theoryOf(CONFIG)!.ringPowers(step), error: data.map(() => 0) },
  }));
  const band = (from: number, accuracy: number) => ({ from, accuracy, halfWidth: 0.05, count: 64 });
  const classifier = { whole: band(0, 0.9), bands: [band(1, 0.55), band(2, 0.95)] };
  const run = {
    ...{ dir: name, seed: 1, config: CONFIG, emergence, unread: null },
    ...{ losses: [], valLosses: [], bandLosses: [], spectra: [], picture: null },
    final: looks > 0 ? { classifier, samples: {} } : null,
  };
  return { name, runs: [run as unknown as Method["runs"][number]] };
}

Deno.test("emergenceFigure() gives each method's exponent beside that of theory", () => {
  const { drawing, caption } = emergenceFigure([methodOf("own", 18), methodOf("none", 0)])!;
  const texts = [...drawing.content.matchAll(/<text[^>]*>(.*?)<\/text>/g)]
    .map(([, text = ""]) => text.replaceAll(/<[^>]*>/g, ""));
  const label = texts.find((text) => text.startsWith("own: falling"))!;
  // Rings are means over frequencies, so that the fit of four of them is near that of theory alone.
  assertMatch(label, /^own: falling −\d.\d+ ± .* \(theory −\d.\d+\)$/);
  assertStringIncludes(caption, "Dashed: what theory says");
  assert(texts.includes("own: samples over data, by |k|"), texts.join("\n"));
  assertEquals(emergenceFigure([methodOf("seldom", 3)]), null);
});

Deno.test("classifierFigure() draws accuracies by octave; null without any", () => {
  const { drawing } = classifierFigure([methodOf("own", 18)])!;
  assertStringIncludes(drawing.content, "held-out accuracy");
  assertEquals(classifierFigure([methodOf("none", 0)]), null);
});

Deno.test("makePage() shows first what is left of an experiment's differences", () => {
  const comparison = (method: string, corrected: number | null) => ({
    ...{ method, base: "a", quantity: "psdError", p: corrected, corrected, smallest: 0.1 },
    difference: { mean: -0.5, halfWidth: 0.1, deviation: 0.04, count: 3 },
    within: [],
  });
  const comparisons = [comparison("weak", 0.2), comparison("sure", 0.01), comparison("none", null)];
  const page = makePage({
    ...{ title: "t", methods: [methodOf("own", 18)], figures: [] },
    tables: [{ name: "x", about: "Which <one>?", comparisons }],
  });
  assertStringIncludes(page, "<p>Which &lt;one&gt;?</p>");
  assertStringIncludes(page, "3 comparisons (Holm 1979)");
  assertStringIncludes(page, "1 of them is left after the correction");
  assert(page.indexOf("<td>sure</td>") < page.indexOf("2 that are not"), "sure ones first");
  assert(page.indexOf("<td>weak</td>") > page.indexOf("2 that are not"));
});
