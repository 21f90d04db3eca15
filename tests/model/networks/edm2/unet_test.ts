import { parseConfig } from "../../../../config/load.ts";
import { sumFactors } from "../../../../model/magnitudes.ts";
import { namedParameters } from "../../../../model/module.ts";
import { fromPytorch, toPytorch } from "../../../../model/names/pytorch.ts";
import { edm2Names } from "../../../../model/networks/edm2/names.ts";
import { type Edm2Options, OPTIONS } from "../../../../model/networks/edm2/options.ts";
import { Edm2UNet } from "../../../../model/networks/edm2/unet.ts";
import { initialValues } from "../../../../model/parameters.ts";
import { UsageError } from "../../../../support/errors.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../../support/assert.ts";
import { inFolder } from "../../../support/folder.ts";
import { trainInFolder } from "../../../support/runs.ts";

const DEFAULTS = Object.fromEntries(
  Object.entries(OPTIONS).map(([key, { initial }]) => [key, initial]),
) as unknown as Edm2Options;

Deno.test("edm2Names() name every parameter once, and values come back unchanged", () => {
  const network = new Edm2UNet({
    ...DEFAULTS,
    ...{ channels: 8, channelMultipliers: [1, 2], blocks: 1, attentionLevels: [0] },
    ...{ headChannels: 4, classes: 3, uncertaintyFeatures: 6 },
  }, { height: 8, width: 8, channels: 1, timesteps: 10 });
  const learned = edm2Names(network).flatMap((entry) => entry.kind === "parameter" ? [entry] : []);
  assertEquals(
    learned.map(({ name }) => name).sort(),
    Array.from(namedParameters(network), ([name]) => name).sort(),
  );
  for (const [name, values] of initialValues(network, 1)) {
    const entry = learned.find((one) => one.name === name)!;
    assertEquals(fromPytorch(entry, toPytorch(entry, values)), values, name);
  }
});

Deno.test("sumFactors() keep the variance of a sum", () => {
  for (const share of [0, 0.3, 0.5, 1]) {
    const [a, b] = sumFactors(share);
    assertAllClose([a * a + b * b, b / (a + b)], [1, share], { rtol: 1e-12, atol: 0 });
  }
});

const CONFIG = {
  data: { name: "synthetic", size: 8, synthetic: { kind: "shapes", channels: 1, count: 32 } },
  model: {
    ...{ name: "edm2", channels: 8, channelMultipliers: [1, 2], blocks: 1, attentionLevels: [] },
    ...{ headChannels: 8, classes: 6 },
  },
  diffusion: { timesteps: 20, sampler: { name: "ddim", steps: 2 } },
  train: { steps: 2, batchSize: 4, sampleCount: 4, evalEvery: 2, evalCount: 4, logEvery: 1 },
};

const parse = (model: Record<string, unknown>) =>
  parseConfig(JSON.stringify({ ...CONFIG, model: { ...CONFIG.model, ...model } }), {
    path: "test",
  });

Deno.test("EDM2 trains from a config with classes, and goes on", () =>
  inFolder(async (folder) => {
    const first = await trainInFolder(parse({}), folder, { stopAfter: 1 });
    assertEquals([first.step, first.finished], [1, false]);
    const { step, finished } = await trainInFolder(parse({}), folder, { resume: true });
    assertEquals([step, finished], [2, true]);
  }));

Deno.test("EDM2 refuses options that do not go together", () => {
  for (
    const [model, rule] of [
      [{ attentionLevels: [2] }, "model.attentionLevels must name levels from 0 to 1"],
      [{ channels: 10, headChannels: 6 }, "model.headChannels must cut the width"],
      [{ resampleFilter: [1] }, "model.resampleFilter must hold an even number"],
    ] as const
  ) assertThrows(() => parse(model), UsageError, rule);
});
