/** Configs of config/sources, each of which stands for one of another code. */
import { dottedFields } from "../../config/description.ts";
import { loadConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { emaDecay } from "../../optim/ema_decay.ts";
import { firstBeta, learningRate } from "../../optim/learning_rate.ts";
import { countParameters } from "../../model/module.ts";
import { networkShape } from "../../training/network_shape.ts";
import { networkOf } from "../../training/run.ts";
import { describeNetwork } from "../../training/run_summary.ts";
import { planStep } from "../../training/step_plan.ts";
import {
  assert,
  assertAlmostEquals,
  assertEquals,
  assertStringIncludes,
} from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";
import { ROOT } from "../support/runs.ts";

const FOLDER = `${ROOT}config/sources/`;

/** Images of the set that a config trains on; of others any number does. */
const IMAGES: Readonly<Record<string, number>> = { cifar10: 50000, mnist: 60000 };

async function load(name: string): Promise<Config> {
  const { data } = await loadConfig(FOLDER + name, [], { images: 1000 });
  return await loadConfig(FOLDER + name, [], { images: IMAGES[data.name] ?? 60000 });
}

/** Parameters of each network, as its own code counts them where that is recorded. */
const PARAMETERS: Readonly<Record<string, string>> = {
  "pytorch-ddpm-cifar10.json": "35,746,307",
  "pytorch-ddpm-cifar10-unet-example.json": "35,746,307",
  // What the butterflies of diffusers' training notebook have, too.
  "diffusers-unconditional.json": "113,673,219",
  // 41,433,384 that are learned, and the running means and variances of 5,888 channels.
  "notebook-mnist.json": "41,445,160",
};

Deno.test("loadConfig() reads every config of config/sources, whose network and process can be made", async () => {
  const names = Array.from(Deno.readDirSync(FOLDER), ({ name }) => name).sort();
  assertEquals(names.length, 15);
  for (const name of names) {
    const config = await load(name);
    const network = networkOf(config);
    // Writing down a hundred networks to count their operations takes seconds.
    const said = network.stages
      ? `${countParameters(network).toLocaleString("en-US")} parameters`
      : describeNetwork(network, networkShape(config));
    assertStringIncludes(said, `${PARAMETERS[name] ?? ""} parameters`);
    assert(makeProcess(config.diffusion), name);
  }
});

Deno.test("planStep() plans the smallest config of config/sources", async () => {
  const config = await load("flax-fashion-mnist-cpu.json");
  const network = networkOf(config);
  const plan = planStep({ gpu: await testGpu(), config, network });
  assertEquals(plan.images * plan.accumulate, 32);
  assert(plan.dispatches > 100);
});

Deno.test("loadConfig() counts the epochs of config/sources in steps", async () => {
  const { train, optim } = await load("generative-zoo.json");
  const epoch = 60000 / 128;
  assertEquals(train.steps, Math.ceil(100 * epoch));
  assertEquals(optim.warmupSteps, Math.ceil(10 * epoch));
  assertEquals((await load("notebook-mnist.json")).train.steps, 70 * 50);
});

Deno.test("learningRate() and firstBeta() follow the cycle that GenerativeZoo asks PyTorch for", async () => {
  const { train, optim } = await load("generative-zoo.json");
  for (const [step, rate] of [[0, 1e-6], [optim.warmupSteps - 1, 1e-3], [train.steps - 1, 1e-6]]) {
    assertAlmostEquals(learningRate(optim, step!, train.steps), rate!, 1e-12);
    // It does not cycle the first moment's decay.
    assertEquals(firstBeta(optim, step!, train.steps), 0.9);
  }
});

Deno.test("emaDecay() of config/sources/flax-cifar10.json is a copy, a growing decay and 0.995", async () => {
  const { optim: { ema }, train: { batchSize } } = await load("flax-cifar10.json");
  const decays = [99, 108, 109, 9999].map((step) => emaDecay(ema, step, batchSize));
  assertEquals([decays[0], decays[1], decays[3]], [0, 1, 0.995]);
  assertAlmostEquals(decays[2]!, 1 - 9 ** (-2 / 3));
});

Deno.test("docs/coming-from.md names every config of config/sources, and only keys that there are", async () => {
  const text = await Deno.readTextFile(`${ROOT}docs/coming-from.md`);
  for (const { name } of Deno.readDirSync(FOLDER)) {
    assertStringIncludes(text, `\`config/sources/${name}\``);
  }
  const known = new Set(Array.from(dottedFields(), ({ key }) => key));
  const unknown = answers(text).filter((key) => !known.has(key));
  assertEquals(unknown, []);
  assert(answers(text).length > 100);
});

/** The dotted keys in the second columns of a document's tables. */
function answers(markdown: string): string[] {
  return markdown.split("\n").filter((line) => line.startsWith("| ")).flatMap((line) =>
    Array.from(
      line.split(" | ").at(-1)!.matchAll(
        /`((?:run|data|model|diffusion|optim|train|metrics)\.[\w.]+)`/g,
      ),
      ([, key = ""]) => key,
    )
  );
}
