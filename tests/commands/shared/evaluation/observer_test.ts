import { join } from "node:path";
import { formatConfig } from "../../../../config/load.ts";
import { runEvaluation } from "../../../../commands/shared/evaluation/observer.ts";
import { Checkpoint } from "../../../../training/checkpoint.ts";
import { trainRun } from "../../../../training/run.ts";
import { assert, assertEquals, assertRejects } from "../../../support/assert.ts";
import { testGpu } from "../../../support/gpu.ts";
import { inFolderWithCache, smokeConfig } from "../../../support/runs.ts";

const OVERRIDES = [
  ...["metrics.every=2", "metrics.count=16", 'metrics.names=["spectrum"]'],
  ...["metrics.best=spectrum", "train.sampleEvery=0", "train.evalEvery=0"],
];

/** Trains the smoke config with evaluations, up to `stopAfter` steps or to the end. */
async function train(dir: string, { resume = false, stopAfter = 0 } = {}) {
  const config = await smokeConfig(...OVERRIDES);
  const controller = new AbortController();
  const configText = formatConfig(config), say = () => {};
  await trainRun(config, {
    ...{ gpu: await testGpu(), dir, configText, checkpointConfig: configText, resume, say },
    display: () => ({ update: () => {}, print: () => {} }),
    signal: controller.signal,
    observers: [{
      ...{ everySteps: stopAfter, atEnd: false },
      read: () => {
        controller.abort();
        return Promise.resolve(null);
      },
    }],
    observe: (trainer) => runEvaluation(trainer, { ...config, dir, configText, say }),
  });
  return (await Deno.readTextFile(join(dir, "eval.jsonl"))).trim().split("\n")
    .map((line) => JSON.parse(line));
}

Deno.test("runEvaluation() writes a line an evaluation and keeps the best checkpoint, across resumes", async () => {
  await inFolderWithCache(async (folder) => {
    const whole = join(folder, "whole"), cut = join(folder, "cut");
    const lines = await train(whole);
    assertEquals(lines.map(({ step }) => step), [2, 4, 6]);
    let least = Infinity, bestStep = 0;
    for (const { step, ema, raw, best, features } of lines) {
      assert(ema.spectralDistance > 0 && raw.spectralDistance > 0);
      assert(ema.spectralDistance !== raw.spectralDistance);
      assertEquals(features, null);
      assertEquals(best, ema.spectralDistance < least);
      if (best) [least, bestStep] = [ema.spectralDistance, step];
    }
    const checkpoint = await Checkpoint.open(join(whole, "checkpoints", "best.safetensors"));
    assertEquals(checkpoint.step, bestStep);
    assertEquals(checkpoint.notes.spectralDistance, `${least}`);
    await train(cut, { stopAfter: 3 });
    assertEquals(await train(cut, { resume: true }), lines);
    const again = await Checkpoint.open(join(cut, "checkpoints", "best.safetensors"));
    assertEquals([again.step, again.notes], [checkpoint.step, checkpoint.notes]);
  });
});

Deno.test("a config must compute the number that marks the best checkpoint", async () => {
  await assertRejects(
    () => smokeConfig("metrics.every=2", 'metrics.names=["spectrum"]'),
    Error,
    "metrics.best must be among metrics.names, spectrum",
  );
});
