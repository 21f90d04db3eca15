import { join } from "node:path";
import { formatConfig } from "../../config/load.ts";
import { chooseRun } from "../../commands/train/run_choice.ts";
import { UsageError } from "../../support/errors.ts";
import { imagesOf, networkOf } from "../../training/run.ts";
import { Trainer } from "../../training/trainer.ts";
import { testGpu } from "../support/gpu.ts";
import { Checkpoint, newestCheckpoint } from "../../training/checkpoint.ts";
import type { Origin } from "../../training/origin.ts";
import { runFolder } from "../../training/run_folder.ts";
import { assert, assertEquals, assertRejects, assertStringIncludes } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { smokeConfig, trainInFolder } from "../support/runs.ts";
import { unetOptions } from "../model/networks/ho2020/options.ts";

const QUIET = ["train.sampleEvery=0", "train.evalEvery=0", "train.checkpointEvery=2"];

/** A run of four steps; its newest checkpoint. */
async function sourceIn(folder: string): Promise<Checkpoint> {
  const config = await smokeConfig("train.steps=4", ...QUIET);
  await trainInFolder(config, join(folder, "old"));
  const checkpoint = await newestCheckpoint(runFolder(join(folder, "old")).checkpoints, () => {});
  assert(checkpoint);
  return checkpoint;
}

async function tensor({ path }: { path: string }, name: string, shape: number[]) {
  return await (await Checkpoint.open(path)).read(name, shape);
}

const HEAD = [3, 3, 1, 8];
const stepZero = (dir: string) => ({ path: join(dir, "checkpoints/step-000000.safetensors") });

Deno.test("trainRun() begins with weights of another run, all else afresh, and keeps them", () =>
  inFolder(async (folder) => {
    const checkpoint = await sourceIn(folder);
    for (const weights of ["ema", "raw"] as const) {
      const dir = join(folder, weights);
      const config = await smokeConfig("train.steps=3", "optim.lr=0.003", "train.keep=9", ...QUIET);
      await trainInFolder(config, dir, { origin: { checkpoint, weights }, stopAfter: 1 });
      const zero = stepZero(dir);
      const theirs = await tensor(
        checkpoint,
        weights === "ema" ? "ema/head.weight" : "model/head.weight",
        HEAD,
      );
      assertEquals(await tensor(zero, "model/head.weight", HEAD), theirs);
      assertEquals(await tensor(zero, "ema/head.weight", HEAD), theirs);
      for (const moments of ["optim/m/", "optim/v/"]) {
        const values = await tensor(zero, `${moments}head.weight`, HEAD);
        assert(values.every((value) => value === 0));
      }
      const record = JSON.parse(await Deno.readTextFile(join(dir, "origin.json")));
      assertEquals(record, { checkpoint: checkpoint.path, step: 4, weights });
      assertEquals((await Checkpoint.open(zero.path)).step, 0);
    }
    const [ema, raw] = await Promise.all(
      ["ema", "raw"].map((kind) => tensor(stepZero(join(folder, kind)), "model/head.weight", HEAD)),
    );
    assert(ema!.some((value, i) => value !== raw![i]));
  }));

Deno.test("trainRun() goes on with a run that began so to the same bytes, without the other run", () =>
  inFolder(async (folder) => {
    const origin: Origin = { checkpoint: await sourceIn(folder), weights: "ema" };
    const config = await smokeConfig("train.steps=5", "train.batchSize=2", ...QUIET);
    const last = "checkpoints/step-000005.safetensors";
    const whole = join(folder, "whole");
    await trainInFolder(config, whole, { origin });
    const begun = join(folder, "begun"), killed = join(folder, "killed");
    for (const dir of [begun, killed]) await trainInFolder(config, dir, { origin, stopAfter: 1 });
    await Deno.remove(join(folder, "old"), { recursive: true });
    // As if killed right after the start: only the checkpoint of step 0 is there.
    await Deno.remove(join(killed, "checkpoints/step-000001.safetensors"));
    for (const dir of [begun, killed]) {
      await trainInFolder(config, dir, { resume: true });
      assertEquals(await Deno.readFile(join(dir, last)), await Deno.readFile(join(whole, last)));
    }
  }));

Deno.test("trainRun() refuses weights of another network by the names of what differs", () =>
  inFolder(async (folder) => {
    const origin: Origin = { checkpoint: await sourceIn(folder), weights: "ema" };
    const cases: [string[], string][] = [
      [["model.channels=16"], "head.weight must be [3,3,1,16], got [3,3,1,8]"],
      [["model.blocks=2"], "down.0.blocks.1.norm1.weight must be [8], got none"],
      [["model.attentionLevels=[]"], "must not be there"],
      [["data.synthetic.channels=3"], "head.weight must be [3,3,3,8], got [3,3,1,8]"],
    ];
    for (const [overrides, part] of cases) {
      const config = await smokeConfig(...overrides, ...QUIET);
      const dir = join(folder, "new");
      const { message } = await assertRejects(
        () => trainInFolder(config, dir, { origin }),
        UsageError,
        part,
      );
      assertStringIncludes(message, "Cannot begin with the weights of");
      await assertRejects(() => Deno.stat(join(dir, "config.json")));
    }
  }));

Deno.test("trainRun() takes over what fits of a partial origin, says what does not, and starts that afresh", () =>
  inFolder(async (folder) => {
    const checkpoint = await sourceIn(folder), dir = join(folder, "new");
    const origin: Origin = { checkpoint, weights: "raw", partial: true };
    // Three channels for one, classes for none, and no attention.
    const config = await smokeConfig(
      ...["data.synthetic.channels=3", "model.classes=6", "model.attentionLevels=[]"],
      ...["train.steps=1", ...QUIET],
    );
    const { lines } = await trainInFolder(config, dir, { origin });
    const said = lines.filter((line) => line.startsWith("note: ")).join("\n");
    assertStringIncludes(said, "starts afresh: head.weight must be [3,3,3,8], got [3,3,1,8]");
    assertStringIncludes(said, "is left out: ");
    const zero = stepZero(dir), afresh = join(folder, "afresh");
    await trainInFolder(config, afresh, { stopAfter: 1 });
    const name = "model/down.0.blocks.0.conv1.weight", shape = [3, 3, 8, 8];
    assertEquals(await tensor(zero, name, shape), await tensor(checkpoint, name, shape));
    // What starts afresh starts as it does in a run from scratch, the average too.
    const scratch = await Trainer.create(
      ...[await testGpu(), config, networkOf(config), (await imagesOf(config, () => {})).images],
    );
    scratch.state.initialize(config.run.seed);
    const head = await scratch.gpu.readF32(scratch.state.weights.get("head.weight"));
    scratch.destroy();
    for (const kind of ["model/", "ema/"]) {
      assertEquals(await tensor(zero, `${kind}head.weight`, [3, 3, 3, 8]), head);
    }
    const record = JSON.parse(await Deno.readTextFile(join(dir, "origin.json")));
    assertEquals(record.partial, true);
  }));

Deno.test("trainRun() leaves frozen parts as they are, and goes on with kept moments to the same bytes", () =>
  inFolder(async (folder) => {
    const checkpoint = await sourceIn(folder);
    const origin: Origin = { checkpoint, weights: "raw", moments: true };
    const config = await smokeConfig(
      ...["optim.freeze=down,*.bias", "optim.stepsBefore=4", "optim.name=adamw"],
      ...["optim.weightDecay=0.1", "train.steps=3", "train.keep=9", ...QUIET],
    );
    const whole = join(folder, "whole"), cut = join(folder, "cut");
    const { lines } = await trainInFolder(config, whole, { origin });
    assert(lines.some((line) => /parameters, [\d,]+ of them learned/.test(line)), lines.join("\n"));
    await trainInFolder(config, cut, { origin, stopAfter: 1 });
    await trainInFolder(config, cut, { resume: true });
    const last = "checkpoints/step-000003.safetensors";
    assertEquals(await Deno.readFile(join(cut, last)), await Deno.readFile(join(whole, last)));
    const end = { path: join(whole, last) };
    for (
      const [name, shape, frozen] of [
        ["down.0.blocks.0.conv1.weight", [3, 3, 8, 8], true],
        ["head.bias", [8], true],
        ["head.weight", HEAD, false],
      ] as const
    ) {
      const [before, after] = await Promise.all(
        [checkpoint, end].map((it) => tensor(it, `model/${name}`, [...shape])),
      );
      assertEquals(before!.every((value, i) => value === after![i]), frozen, name);
      const zero = await tensor(stepZero(whole), `optim/m/${name}`, [...shape]);
      assertEquals(zero.every((value) => value === 0), frozen, name);
    }
  }));

Deno.test("chooseRun() takes from the other run what its own config leaves open", () =>
  inFolder(async (folder) => {
    const old = await smokeConfig("train.steps=2", "diffusion.schedule=cosine", ...QUIET);
    await trainInFolder(old, join(folder, "old"));
    const found = await newestCheckpoint(runFolder(join(folder, "old")).checkpoints, () => {});
    const origin: Origin = { checkpoint: found!, weights: "ema" };
    const dir = join(folder, "new"), said: string[] = [];
    const choose = (file: string | null, ...overrides: [string, string][]) =>
      chooseRun({
        ...{ file: file ?? "none.json", named: file !== null, overrides, resume: false, origin },
        ...{ folderMatters: true, say: (line) => void said.push(line) },
      });
    const bare = await choose(null, ["run.dir", dir], ["optim.lr", "0.5"]);
    assertEquals(bare.config.optim.lr, 0.5);
    assertEquals(bare.config.train.steps, 2);
    assertEquals(bare.config.model, old.model);
    assertEquals(bare.dir, dir);
    await assertRejects(() => choose(null), UsageError, "give it by --run.dir=FOLDER");

    const file = join(folder, "other.json");
    await Deno.writeTextFile(
      file,
      JSON.stringify({
        train: { steps: 9 },
        model: { dropout: 0.3 },
        diffusion: { timesteps: 30 },
      }),
    );
    const { config } = await choose(file, ["run.dir", dir]);
    assertEquals(config.optim.stepsBefore, 0);
    const kept = await chooseRun({
      ...{ file, named: true, overrides: [["run.dir", dir]], resume: false, folderMatters: true },
      ...{ origin: { ...origin, moments: true }, say: () => {} },
    });
    assertEquals(kept.config.optim.stepsBefore, 2);
    assertEquals(config.model, { ...unetOptions(old.model), dropout: 0.3 });
    assertEquals([config.train.steps, config.diffusion.schedule], [9, "cosine"]);
    assertStringIncludes(said.join("\n"), "Beginning with the averaged weights of step 2 of");
    assertStringIncludes(
      said.join("\n"),
      `the weights were trained otherwise: diffusion.timesteps ${old.diffusion.timesteps} to 30`,
    );
    await Deno.writeTextFile(file, formatConfig(old));
    await assertRejects(
      () => choose(file, ["run.dir", join(folder, "old")]),
      UsageError,
      "the folder holds a run already",
    );
    await assertRejects(
      () => choose(file, ["run.dir", join(folder, "old")], ["train.stepz", "3"]),
      UsageError,
      "did you mean train.steps?",
    );
    const weights = join(folder, "w.pt");
    await Deno.writeTextFile(weights, "x");
    const resumed = { file, named: true, overrides: [["run.dir", weights] as const], resume: true };
    await assertRejects(
      () => chooseRun({ ...resumed, folderMatters: true, say: () => {} }),
      UsageError,
      `\`deno task convert ${weights} FOLDER\``,
    );
    const pipeline = join(folder, "pipeline");
    await Deno.mkdir(pipeline);
    await Deno.writeTextFile(join(pipeline, "config.json"), '{"_class_name":"UNet2DModel"}');
    const overrides = [["run.dir", pipeline] as const];
    await assertRejects(
      () => chooseRun({ ...resumed, overrides, folderMatters: true, say: () => {} }),
      UsageError,
      "it is a diffusers model; make a run of it by",
    );
  }));
