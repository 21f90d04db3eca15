import { parseConfig } from "../../../../config/load.ts";
import { UsageError } from "../../../../support/errors.ts";
import { assertEquals, assertThrows } from "../../../support/assert.ts";
import { inFolder } from "../../../support/folder.ts";
import { trainInFolder } from "../../../support/runs.ts";

const parse = (model: Record<string, unknown>) =>
  parseConfig(
    JSON.stringify({
      data: {
        name: "synthetic",
        size: 8,
        holdout: 4,
        synthetic: { kind: "shapes", channels: 1, count: 32 },
      },
      model: {
        ...{ name: "lucid-karras", channels: 4, mostChannels: 8, halvings: 1, blocks: 1 },
        ...{ attentionSizes: [4], fourierChannels: 4, headChannels: 4, classes: 6 },
        ...model,
      },
      diffusion: { timesteps: 20, sampler: { name: "ddim", steps: 2 } },
      optim: { warmupSteps: 0 },
      train: {
        ...{ steps: 3, batchSize: 2, sampleCount: 2, evalEvery: 3, evalCount: 2, logEvery: 1 },
        checkpointEvery: 3,
      },
    }),
    { path: "test" },
  );

Deno.test("LUCID_KARRAS trains, samples and resumes to the same bytes", () =>
  inFolder(async (folder) => {
    const [whole, cut] = [`${folder}/whole`, `${folder}/cut`];
    assertEquals((await trainInFolder(parse({}), whole)).step, 3);
    await trainInFolder(parse({}), cut, { stopAfter: 2 });
    await trainInFolder(parse({}), cut, { resume: true });
    const last = (dir: string) => Deno.readFile(`${dir}/checkpoints/step-000003.safetensors`);
    assertEquals(await last(cut), await last(whole));
  }));

Deno.test("LUCID_KARRAS refuses odd features, and images that it cannot halve", () => {
  assertThrows(
    () => parse({ fourierChannels: 3 }),
    UsageError,
    "model.fourierChannels must be even",
  );
  assertThrows(() => parse({ halvings: 4 }), UsageError, "data.size must be a multiple of 16");
  assertThrows(() => parse({ mostChannels: 2 }), UsageError, "model.mostChannels must be at least");
});
