import { parseConfig } from "../../../../config/load.ts";
import { notebookTable } from "../../../../model/networks/full/time_table.ts";
import { UsageError } from "../../../../support/errors.ts";
import { Checkpoint } from "../../../../training/checkpoint.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../../../support/assert.ts";
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
        name: "full",
        channels: 4,
        channelMultipliers: [1, 2, 4],
        timeChannels: 6,
        ...model,
      },
      diffusion: { timesteps: 20, sampler: { name: "ddim", steps: 2 } },
      optim: { name: "adamw", weightDecay: 0.5, warmupSteps: 0, ema: { decay: 0.5 } },
      train: {
        ...{ steps: 3, batchSize: 4, sampleCount: 2, evalEvery: 3, evalCount: 2, logEvery: 1 },
        checkpointEvery: 3,
      },
    }),
    { path: "test" },
  );

Deno.test("FULL trains, samples and resumes to the same bytes, and keeps statistics of training", () =>
  inFolder(async (folder) => {
    const [whole, cut] = [`${folder}/whole`, `${folder}/cut`];
    const { step, lines } = await trainInFolder(parse({}), whole);
    assertEquals(step, 3);
    assert(lines.some((line) => line.startsWith("network   full, ")), lines.join());
    await trainInFolder(parse({}), cut, { stopAfter: 2 });
    await trainInFolder(parse({}), cut, { resume: true });
    const last = (dir: string) => `${dir}/checkpoints/step-000003.safetensors`;
    assertEquals(await Deno.readFile(last(cut)), await Deno.readFile(last(whole)));
    const bytes = new TextDecoder().decode((await Deno.readFile(last(whole))).subarray(0, 1 << 16));
    assert(
      bytes.includes("down.0.units.0.norm.runningVariance"),
      "statistics are in the checkpoint",
    );
    await Checkpoint.open(last(whole));
  }));

Deno.test("FULL refuses a single level, and images that it cannot halve", () => {
  assertThrows(
    () => parse({ channelMultipliers: [1] }),
    UsageError,
    "model.channelMultipliers must hold at least two",
  );
  assertThrows(
    () => parse({ channelMultipliers: [1, 1, 1, 1, 1] }),
    UsageError,
    "data.size must be a multiple of 16",
  );
  assertThrows(() => parse({ timeChannels: 5 }), UsageError, "model.timeChannels must be even");
});

Deno.test("notebookTable() alternates sines and cosines over timesteps, as the notebook does", () => {
  const table = notebookTable(6, 2);
  const v = (i: number, j: number) => i / 10000 ** j;
  const expected = [
    [0, 1, 2, 3, 4, 5].map((i) => i),
    // Row 1 is made from row 0, row 5 from row 2, row 3 from row 4.
    [0, 0, 2, 4, 4, 2],
  ];
  const rows = expected[0]!.flatMap((i) =>
    [0, 1].map((j) => {
      const sine = Math.sin(v(i % 2 === 0 ? i : expected[1]![i]!, j));
      return i % 2 === 0 ? sine : Math.cos(sine);
    })
  );
  assertAllClose(table, rows, { rtol: 1e-6 });
});
