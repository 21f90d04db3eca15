import { parseConfig } from "../../../../config/load.ts";
import { STYLES } from "../../../../model/networks/lucid/styles.ts";
import { UsageError } from "../../../../support/errors.ts";
import { assert, assertEquals, assertThrows } from "../../../support/assert.ts";
import { inFolder } from "../../../support/folder.ts";
import { trainInFolder } from "../../../support/runs.ts";

const CONFIG = {
  data: {
    name: "synthetic",
    size: 8,
    holdout: 4,
    synthetic: { kind: "shapes", channels: 1, count: 32 },
  },
  diffusion: { timesteps: 20, sampler: { name: "ddim", steps: 2 } },
  optim: { warmupSteps: 0 },
  train: {
    ...{ steps: 3, batchSize: 2, sampleCount: 2, evalEvery: 3, evalCount: 2, logEvery: 1 },
    checkpointEvery: 3,
  },
};

const MODEL = {
  ...{ name: "lucid", channels: 8, channelMultipliers: [1, 2], heads: [2], headChannels: [4] },
};

const parse = (model: Record<string, unknown>) =>
  parseConfig(JSON.stringify({ ...CONFIG, model: { ...MODEL, ...model } }), { path: "test" });

/** The last checkpoint's bytes. */
const weights = (dir: string) => Deno.readFile(`${dir}/checkpoints/step-000003.safetensors`);

for (
  const [title, model] of [
    ["pytorch", { timeFeatures: "learned", dropout: 0.1, fullAttention: [0] }],
    ["flax with the token axis", { style: "flax", cosineAxis: "tokens" }],
    ["classes", { style: "classes", classes: 6, timeFeatures: "random" }],
  ] as const
) {
  Deno.test(`LUCID of style ${title} trains, samples, and resumes to the same bytes`, () =>
    inFolder(async (folder) => {
      const [whole, cut] = [`${folder}/whole`, `${folder}/cut`];
      const { step, lines } = await trainInFolder(parse(model), whole);
      assertEquals(step, 3);
      assert(lines.some((line) => line.startsWith("network   lucid, ")), lines.join());
      await trainInFolder(parse(model), cut, { stopAfter: 2 });
      await trainInFolder(parse(model), cut, { resume: true });
      assertEquals(await weights(cut), await weights(whole));
    }));
}

Deno.test("LUCID refuses keys that a style does not know, and levels that are not there", () => {
  const wrong = [
    [{ style: "flax", dropout: 0.1 }, "model.dropout must be 0 with model.style flax"],
    [{ style: "classes" }, "model.classes must be at least 1 with model.style classes"],
    [{ fullAttention: [2] }, "model.fullAttention must name levels from 0 to 1"],
    [{ heads: [1, 2, 3] }, "model.heads must hold one number, or 2"],
    [{ channels: 7 }, "model.channels must be even"],
    [{ style: "flax", channels: 12 }, "model.channels must be a multiple of 8"],
    [{ style: "signals" }, "data.size must be 1 x L"],
  ] as const;
  for (const [model, message] of wrong) assertThrows(() => parse(model), UsageError, message);
  assertEquals(Object.keys(STYLES), ["pytorch", "classes", "signals", "flax"]);
});
