import { join } from "node:path";
import { SPECTRAL_MODE_NAMES } from "../../diffusion/options.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { smokeConfig, trainInFolder } from "../support/runs.ts";

const FAST = ["train.sampleEvery=0", "train.evalEvery=0", "train.checkpointEvery=0"];

const checkpoint = (dir: string, step: number) =>
  Deno.readFile(join(dir, "checkpoints", `step-${String(step).padStart(6, "0")}.safetensors`));

async function losses(dir: string): Promise<number[]> {
  const text = await Deno.readTextFile(join(dir, "log.jsonl"));
  const lines = text.trimEnd().split("\n").map((line) => JSON.parse(line) as { loss?: number });
  return lines.flatMap(({ loss }) => loss === undefined ? [] : [loss]);
}

Deno.test("trainRun() with adaptive timesteps and the spectrum loss resumes bit for bit", () =>
  inFolder(async (dir) => {
    const config = await smokeConfig(
      ...FAST,
      "train.steps=13",
      "train.logEvery=4",
      "diffusion.timestepSampler.name=adaptive",
      "diffusion.timestepSampler.bins=2",
      "diffusion.spectralLoss.lambda=0.5",
    );
    const [whole, parts] = [join(dir, "whole"), join(dir, "parts")];
    await trainInFolder(config, whole);
    await trainInFolder(config, parts, { stopAfter: 10 });
    await trainInFolder(config, parts, { resume: true });
    assertEquals(await checkpoint(parts, 13), await checkpoint(whole, 13));
    assertEquals(await losses(parts), await losses(whole));
    const text = new TextDecoder().decode(await checkpoint(whole, 13));
    assert(text.includes("diffusion/lossHistory"), "the history must be in the checkpoint");
  }));

Deno.test("trainRun() tells the tMax that it found, or was given", () =>
  inFolder(async (dir) => {
    const run = async (name: string, ...overrides: string[]) => {
      const config = await smokeConfig(...FAST, "train.steps=1", ...overrides);
      return (await trainInFolder(config, join(dir, name))).lines.filter((s) => s.includes("tMax"));
    };
    assertEquals(await run("plain"), []);
    const lambda = "diffusion.spectralLoss.lambda=1";
    const [found = ""] = await run("auto", lambda);
    assert(/^tMax +[1-9]\d* of \d+, .*highest octave.*50 and 100/.test(found), found);
    const [given = ""] = await run("given", lambda, "diffusion.tMax=9");
    assert(/^tMax +9 of \d+$/.test(given), given);
  }));

for (const mode of SPECTRAL_MODE_NAMES) {
  Deno.test(`trainRun() trains with the spectrum loss of mode ${mode}`, () =>
    inFolder(async (dir) => {
      const options = [...FAST, "train.steps=3", "train.logEvery=1"];
      const loss = [
        "diffusion.spectralLoss.lambda=0.5",
        `diffusion.spectralLoss.mode=${mode}`,
        "diffusion.spectralLoss.allowPrinted=true",
        "diffusion.timestepSampler.name=reweighted",
      ];
      const sampled = options.concat("diffusion.timestepSampler.name=reweighted");
      await trainInFolder(await smokeConfig(...sampled), join(dir, "plain"));
      await trainInFolder(await smokeConfig(...options, ...loss), join(dir, "spectral"));
      const [plain, spectral] = [
        await losses(join(dir, "plain")),
        await losses(join(dir, "spectral")),
      ];
      assert(spectral.every(Number.isFinite));
      assert(spectral.some((value, i) => value > plain[i]!));
    }));
}
