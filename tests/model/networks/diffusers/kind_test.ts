import { parseConfig } from "../../../../config/load.ts";
import { UsageError } from "../../../../support/errors.ts";
import { assert, assertEquals, assertThrows } from "../../../support/assert.ts";
import { inFolder } from "../../../support/folder.ts";
import { trainInFolder } from "../../../support/runs.ts";

const CONFIG = {
  data: { name: "synthetic", size: 8, synthetic: { kind: "shapes", channels: 1, count: 32 } },
  model: {
    ...{ name: "diffusers", blockOutChannels: [8, 12], normNumGroups: 4, layersPerBlock: 1 },
    ...{ downBlockTypes: ["DownBlock2D", "AttnDownBlock2D"], numClassEmbeds: 6 },
    ...{ upBlockTypes: ["AttnUpBlock2D", "UpBlock2D"], resnetTimeScaleShift: "scale_shift" },
  },
  diffusion: { timesteps: 20, sampler: { name: "ddim", steps: 2 } },
  train: { steps: 3, batchSize: 4, sampleCount: 4, evalEvery: 3, evalCount: 4, logEvery: 1 },
};

const parse = (model: Record<string, unknown>) =>
  parseConfig(JSON.stringify({ ...CONFIG, model: { ...CONFIG.model, ...model } }), {
    path: "test",
  });

Deno.test("DIFFUSERS trains from a config, with the classes of the data, and goes on to the same bytes", () =>
  inFolder(async (folder) => {
    const whole = await trainInFolder(parse({}), `${folder}/whole`);
    const first = await trainInFolder(parse({}), `${folder}/parts`, { stopAfter: 2 });
    assertEquals([first.step, first.finished], [2, false]);
    const { step, finished } = await trainInFolder(parse({}), `${folder}/parts`, { resume: true });
    assertEquals([step, finished], [3, true]);
    const last = (run: string) =>
      Deno.readFile(`${folder}/${run}/checkpoints/step-000003.safetensors`);
    assertEquals(await last("parts"), await last("whole"));
    assert(whole.lines.some((line) => line.startsWith("network   diffusers, ")));
  }));

Deno.test("DIFFUSERS refuses levels, groups, heads and images that do not fit", () => {
  const cases: [Record<string, unknown>, string][] = [
    [{ channels: 4 }, "model.channels must be an option of model.name diffusers"],
    [{ upBlockTypes: ["UpBlock2D"] }, "model.upBlockTypes must name 2 blocks"],
    [{ normNumGroups: 8 }, "model.normNumGroups must divide each of model.blockOutChannels"],
    [{ attentionHeadDim: 16 }, "model.attentionHeadDim must be at most the width of every level"],
    [{ blockOutChannels: [2, 4], normNumGroups: 2 }, "model.blockOutChannels must begin with"],
    [
      { downBlockTypes: ["SkipDownBlock2D", "DownBlock2D"] },
      "model.downBlockTypes[0] must be one of",
    ],
    [
      {
        blockOutChannels: [8, 8, 8, 8, 8],
        downBlockTypes: new Array(5).fill("DownBlock2D"),
        upBlockTypes: new Array(5).fill("UpBlock2D"),
      },
      "data.size must be a multiple of 16",
    ],
  ];
  for (const [model, part] of cases) assertThrows(() => parse(model), UsageError, part);
});
