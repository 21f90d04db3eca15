import { join } from "node:path";
import type { GpuCounters } from "../../device/gpu.ts";
import { runEvaluation } from "../../commands/shared/evaluation/observer.ts";
import type { Observer } from "../../training/observer.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";
import { inFolderWithCache, smokeConfig, trainInFolder } from "../support/runs.ts";

/** What a plan is made of. */
function objectsOf({ buffers, textures, bindGroups, pipelines, shaderModules }: GpuCounters) {
  return { buffers, textures, bindGroups, pipelines, shaderModules };
}

for (const accumulate of [1, 2]) {
  Deno.test(`trainRun() makes no GPU object after its first preview, accumulate ${accumulate}`, () =>
    inFolderWithCache(async (folder) => {
      const gpu = await testGpu();
      const dir = join(folder, "run");
      const config = await smokeConfig(
        ...[
          `train.accumulate=${accumulate}`,
          "train.steps=9",
          "train.sampleEvery=2",
          "train.checkpointEvery=4",
          "train.evalEvery=3",
        ],
        ...["metrics.every=3", 'metrics.names=["spectrum"]', "metrics.best=spectrum"],
        ...["metrics.count=16", "metrics.reference=16", "diffusion.spectralLoss.lambda=0.1"],
        ...["diffusion.timestepSampler.name=adaptive"],
        ...["diffusion.auxiliary.wavelet.weight=0.1", "diffusion.auxiliary.amplitude.weight=0.1"],
      );
      let before: ReturnType<typeof objectsOf> | undefined;
      const counts: Observer = {
        everySteps: 2,
        atEnd: false,
        // Observers look after the preview of the same step.
        read: () => {
          before ??= objectsOf(gpu.counters);
          return Promise.resolve(null);
        },
      };
      const { finished } = await trainInFolder(config, dir, {
        instruments: true,
        observers: [counts],
        observe: (trainer) =>
          runEvaluation(trainer, { ...config, dir, configText: "{}", say: () => {} }),
      });
      assertEquals(finished, true);
      assert(before!.buffers > 10 && before!.pipelines > 10);
      assertEquals(objectsOf(gpu.counters), before);
      const log = await Deno.readTextFile(join(dir, "log.jsonl"));
      for (const [event, times] of [["sample", 5], ["checkpoint", 3], ["evaluation", 3]] as const) {
        assertEquals(log.split(`"event":"${event}"`).length - 1, times, event);
      }
    }));
}
