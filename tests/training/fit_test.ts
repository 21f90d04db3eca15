import { loadConfig } from "../../config/load.ts";
import type { Gpu } from "../../device/gpu.ts";
import { OutOfMemoryError } from "../../device/program.ts";
import { setVariantPolicy, variantPolicy } from "../../kernels/shared/variants.ts";
import { stepInstruments } from "../../commands/shared/instruments.ts";
import { fitStep, remedyOf, withRemedy } from "../../training/fit.ts";
import { forwardWork } from "../../model/network_capture.ts";
import { imagesOf, networkOf } from "../../training/run.ts";
import { planStep, type StepSubject } from "../../training/step_plan.ts";
import { Trainer } from "../../training/trainer.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { testGpu } from "../support/gpu.ts";
import { withBinding } from "../support/narrow_gpu.ts";
import { ROOT, smokeConfig, trainInFolder } from "../support/runs.ts";

async function smokeSubject(...overrides: string[]): Promise<StepSubject> {
  const config = await smokeConfig(...overrides);
  return { gpu: await testGpu(), config, network: networkOf(config) };
}

for (const [accumulate, forced] of [[1, "tiled"], [2, "plain"]] as const) {
  Deno.test(`planStep() plans what a trainer does and makes no GPU object, accumulate ${accumulate}, ${forced} kernels`, async () => {
    const gpu = await testGpu();
    const policy = variantPolicy(gpu);
    setVariantPolicy(gpu, { forced });
    const config = await smokeConfig(
      `train.accumulate=${accumulate}`,
      "diffusion.spectralLoss.lambda=0.1",
      "diffusion.timestepSampler.name=adaptive",
    );
    const network = networkOf(config);
    const before = { ...gpu.counters };
    const observers = (gpu: Gpu) => stepInstruments(gpu, config);
    const plan = planStep({ gpu, config, network, observers });
    assertEquals(gpu.counters, before);
    const { images } = await imagesOf(config, () => {});
    const instruments = observers(gpu);
    const trainer = await Trainer.create(gpu, config, network, images, instruments);
    trainer.state.initialize(1);
    const dispatches = (await trainer.profileStep(0)).reduce((n, part) => n + part.dispatches, 0);
    assertEquals(plan.memory, trainer.memory);
    assertEquals(plan.dispatches, dispatches);
    assertEquals(plan.parameterBytes, trainer.state.weights.byteLength);
    assert(plan.stateBytes >= trainer.state.byteLength);
    assertEquals([plan.images, plan.accumulate], [4 / accumulate, accumulate]);
    assertEquals([plan.flops / 2, plan.movedBytes], Object.values(trainer.work));
    const forward = 2 * 4 * forwardWork(network, trainer.imageSize).multiplyAdds;
    // Less the images' gradient, and with what streamed attention makes again.
    assert(plan.flops > 2.9 * forward && plan.flops < 3.1 * forward, `${plan.flops / forward}`);
    assert(plan.buffers >= 3 && plan.invocations >= 32 && plan.largest.bytes > 0);
    trainer.destroy();
    for (const instrument of instruments) instrument.destroy?.();
    setVariantPolicy(gpu, policy);
  });
}

Deno.test("planStep() plans config/cifar10.json at batch 128, whatever the adapter binds", async () => {
  const gpu = await testGpu();
  const config = await loadConfig(`${ROOT}config/cifar10.json`);
  const { memory, largest, images } = planStep({ gpu, config, network: networkOf(config) }, true);
  assertEquals([images, largest], [128, { label: "joined", bytes: 128 * 32 * 32 * 384 * 4 }]);
  const held = memory.holders.reduce((sum, { bytes }) => sum + bytes, 0);
  // Packing may leave gaps, and never less than what lives.
  assert(held <= memory.peakBytes && memory.peakBytes < 1.2 * held, `${held}, ${memory.peakBytes}`);
  assert(memory.peakBytes < memory.unsharedBytes / 3);
  assert(memory.holders.length > 20 && memory.holders[0]!.bytes >= 64 << 20);
});

Deno.test("fitStep() finds the fewest parts within a memory, divisors of the batch alone", async () => {
  const subject = await smokeSubject("train.batchSize=15", "data.synthetic.count=64");
  const whole = fitStep(subject);
  assertEquals([whole.reason, whole.fitting], [null, whole.asIs]);
  const { stateBytes, memory } = whole.asIs!;
  const cut = fitStep(subject, stateBytes + memory.peakBytes - 1);
  assertEquals([cut.asIs?.accumulate, cut.fitting?.accumulate], [1, 3]);
  assertStringIncludes(cut.reason ?? "", "of activations are more than the");
  assertEquals(remedyOf(cut), "--train.accumulate=3: the same batch, 5 images at once");
  const none = fitStep(subject, 1000);
  assertEquals(none.fitting, null);
  assertStringIncludes(remedyOf(none), "--model.channels");
});

Deno.test("trainRun() names the largest tensor and the parts that fit, and trains in them", () =>
  inFolder(async (folder) => {
    const overrides = ["train.batchSize=16", "train.steps=1", "train.sampleEvery=0"];
    const config = await smokeConfig(...overrides);
    const real = await testGpu();
    const { largest } = planStep({ gpu: real, config, network: networkOf(config) });
    const gpu = withBinding(real, largest.bytes - 4);
    const error = await assertRejects(
      () => trainInFolder(config, folder, { gpu }),
      RangeError,
      "use --train.accumulate=2: the same batch, 8 images at once",
    );
    assertMatch(
      error.message,
      new RegExp(`16 images at once: ${largest.label} would have .*KiB, and a`),
    );
    const cut = await smokeConfig(...overrides, "train.accumulate=2");
    assertEquals((await trainInFolder(cut, folder, { gpu })).step, 1);
  }));

Deno.test("withRemedy() names fewer images at once where memory runs out", async () => {
  const subject = await smokeSubject();
  const work = () => Promise.reject(new OutOfMemoryError("Cannot plan it: too much"));
  const error = await assertRejects(() => withRemedy(subject, work), RangeError, "too much");
  assertStringIncludes(error.message, "use --train.accumulate=2: the same batch, 2 images at once");
});

Deno.test("withRemedy() leaves errors of steps that fit as they are", async () => {
  const subject = await smokeSubject();
  for (const error of [new RangeError("another"), new TypeError("wrong")]) {
    let thrown: unknown;
    await withRemedy(subject, () => Promise.reject(error)).catch((given) => thrown = given);
    assert(thrown === error);
  }
});
