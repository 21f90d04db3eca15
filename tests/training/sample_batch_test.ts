import { join } from "node:path";
import {
  PORTABLE_FAMILIES,
  setVariantPolicy,
  variantPolicy,
} from "../../kernels/shared/variants.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { samplerMoves } from "../../diffusion/samplers/registry.ts";
import { createArena, initialValues, writeArenas } from "../../model/parameters.ts";
import { networkOf } from "../../training/run.ts";
import {
  fitSampling,
  fittingSampler,
  imagesAtOnce,
  planSampling,
} from "../../training/sample_batch.ts";
import { planStep } from "../../training/step_plan.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { testGpu } from "../support/gpu.ts";
import { withBinding } from "../support/narrow_gpu.ts";
import { smokeConfig, trainInFolder } from "../support/runs.ts";

const SIZE = { height: 8, width: 8, channels: 1 };
const PURPOSE = { verb: "draw previews", remedy: "--train.sampleEvery=0 leaves previews out" };

async function subjectOf(...overrides: string[]) {
  const config = await smokeConfig(...overrides);
  const process = makeProcess(config.diffusion), network = networkOf(config);
  return { config, subject: { gpu: await testGpu(), network, process, size: SIZE } };
}

for (const forced of PORTABLE_FAMILIES) {
  Deno.test(`fittingSampler() makes an image of the same bytes whatever the batch, ${forced} kernels`, async () => {
    const { config, subject } = await subjectOf();
    const { gpu, network, process } = subject;
    const policy = variantPolicy(gpu);
    setVariantPolicy(gpu, { forced });
    const weights = createArena(gpu, "weights", network);
    writeArenas(gpu, [weights], initialValues(network, 3));
    const moves = samplerMoves(process, config.diffusion.sampler);
    const draw = async (most: number) => {
      const sampler = await fittingSampler(subject, weights, PURPOSE, { most });
      assertEquals(sampler.batch, most);
      const images = await sampler.sample(moves, [4, 5, 6, 7, 8, 9, 10]);
      sampler.destroy();
      return images;
    };
    const expected = await draw(16);
    for (const most of [8, 5, 3, 1]) assertEquals(await draw(most), expected, `${most} at once`);
    setVariantPolicy(gpu, policy);
    weights.destroy(gpu);
  });
}

Deno.test("fitSampling() halves the batch until bindings and memory hold it", async () => {
  const { subject } = await subjectOf();
  const whole = fitSampling(subject);
  assertEquals(whole.batch, 16);
  const sizes = [16, 8, 4, 2, 1].map((batch) => planSampling(subject, batch).bytes);
  assert(sizes.every((bytes, i) => i === 0 || bytes < sizes[i - 1]!), `${sizes}`);
  for (const [i, memory] of sizes.entries()) {
    assertEquals(fitSampling(subject, { memory }).batch, 16 >> i);
  }
  // The largest activation is [n, 8, 8, 24].
  for (
    const [batch, bytes] of [[16, 98304], [8, 98300], [4, 49148], [2, 24572]] as const
  ) {
    const gpu = withBinding(subject.gpu, bytes);
    assertEquals(fitSampling({ ...subject, gpu }).batch, batch, `${bytes}`);
  }
  assertThrows(() => fitSampling(subject, { memory: 1000 }), RangeError, "one image at once takes");
  const narrow = withBinding(subject.gpu, 6140);
  assertThrows(() => fitSampling({ ...subject, gpu: narrow }), RangeError);
});

Deno.test("trainRun() draws the same previews in smaller batches, and makes none that are off", () =>
  inFolder(async (folder) => {
    const read = (name: string) => Deno.readFile(join(folder, name, "samples", "step-000002.png"));
    const overrides = ["train.steps=2", "train.batchSize=2", "train.sampleCount=6"];
    const { config, subject } = await subjectOf(...overrides);
    await trainInFolder(config, join(folder, "whole"));
    const step = planStep({ ...subject, config });
    const trained = 5 * step.parameterBytes + step.memory.peakBytes;
    const memory = trained + planSampling(subject, 4).bytes;
    await trainInFolder(config, join(folder, "parts"), { memory });
    assertEquals(await read("parts"), await read("whole"));
    const off = await smokeConfig(...overrides, "train.sampleEvery=0");
    assertEquals(
      (await trainInFolder(off, join(folder, "off"), { memory: trained })).picture,
      null,
    );
    await assertRejects(
      () => trainInFolder(config, join(folder, "tight"), { memory: trained }),
      RangeError,
      "--train.sampleEvery=0 leaves previews out",
    );
  }));

Deno.test("imagesAtOnce() fills batches of small images, and of large ones draws what is wanted", () => {
  const at = (side: number, count: number, batch?: number) =>
    imagesAtOnce({ height: side, width: side }, count, batch);
  assertEquals([at(32, 4), at(128, 4), at(128, 64), at(32, 4, 100)], [16, 16, 16, 100]);
  assertEquals([at(129, 4), at(224, 1), at(512, 64), at(256, 5, 2)], [4, 1, 16, 2]);
});
