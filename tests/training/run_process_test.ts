import { join } from "node:path";
import { parseConfig } from "../../config/load.ts";
import { loadImages } from "../../data/registry.ts";
import { Checkpoint } from "../../training/checkpoint.ts";
import type { Observer } from "../../training/observer.ts";
import { measuredConfig, processOf } from "../../training/run_process.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { testGpu } from "../support/gpu.ts";
import { smokeConfig, trainInFolder } from "../support/runs.ts";

const measured = async (...overrides: string[]) => {
  const config = await smokeConfig(...overrides);
  return await measuredConfig(config, () => loadImages(config.data, "train", () => {}));
};

Deno.test("measuredConfig() lets a run of equal-snr go on to the same bytes and sample without images", () =>
  inFolder(async (folder) => {
    const config = await measured(
      ...["diffusion.process=equal-snr", "diffusion.target=coloured-epsilon", "train.steps=6"],
      ...["train.sampleEvery=2", "train.evalEvery=3", "train.checkpointEvery=3"],
    );
    const [whole, cut] = [join(folder, "whole"), join(folder, "cut")];
    const gpu = await testGpu(), made: number[] = [];
    const counts: Observer = {
      everySteps: 2,
      atEnd: false,
      read: () => {
        const { buffers, bindGroups, pipelines } = gpu.counters;
        made.push(buffers + bindGroups + pipelines);
        return Promise.resolve(null);
      },
    };
    await trainInFolder(config, whole, { instruments: true, observers: [counts] });
    assert(made.length >= 2 && made.every((count) => count === made[0]), made.join());
    await trainInFolder(config, cut, { instruments: true, stopAfter: 3 });
    await trainInFolder(config, cut, { instruments: true, resume: true });
    const last = (dir: string) => join(dir, "checkpoints", "step-000006.safetensors");
    assertEquals(await Deno.readFile(last(cut)), await Deno.readFile(last(whole)));
    const { config: text } = await Checkpoint.open(last(whole));
    const stored = parseConfig(text, { path: "stored" });
    const { spectrum } = config.diffusion.processOptions;
    assertEquals(stored.diffusion.processOptions.spectrum, spectrum);
    assertEquals(processOf(stored).banded!.start, processOf(config).banded!.start);
    const log = await Deno.readTextFile(join(whole, "log.jsonl"));
    assert(log.includes('"event":"bandLoss"') && log.includes('"event":"sample"'));
  }));

Deno.test("measuredConfig() lets heat train and preview from the images' mean and spectrum", () =>
  inFolder(async (folder) => {
    const config = await measured(
      ...["diffusion.process=heat", "diffusion.target=x0", "diffusion.lossOn=mahalanobis"],
      ...["train.steps=3", "train.evalEvery=0", "diffusion.sampler.name=ancestral"],
    );
    const { banded } = processOf(config);
    assert(banded!.startMean![0] !== 0);
    const { finished, picture } = await trainInFolder(config, folder, { instruments: true });
    assert(finished && picture !== null);
  }));

Deno.test("measuredConfig() measures what a process goes by and leaves other configs alone", async () => {
  const plain = await smokeConfig();
  assertEquals(await measuredConfig(plain, () => Promise.reject(new Error("no images"))), plain);
  const given = await smokeConfig(
    "diffusion.process=equal-snr",
    "diffusion.processOptions.spectrum=[1,1,1,1,1,1,1]",
  );
  assertEquals(await measuredConfig(given, () => Promise.reject(new Error("no images"))), given);
  const wanting = await smokeConfig("diffusion.process=equal-snr");
  assertThrows(() => processOf(wanting), RangeError, "must be measured on the training set");
});
