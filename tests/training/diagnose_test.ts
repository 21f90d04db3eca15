import { join } from "node:path";
import type { Config } from "../../config/schema.ts";
import { sizeOf, type TensorRef } from "../../device/tensor.ts";
import { addInto } from "../../kernels/elementwise/add.ts";
import { diagnose, findNonFinite } from "../../training/diagnose.ts";
import { listCheckpoints } from "../../training/checkpoint.ts";
import { inspectValues, NonFiniteError } from "../../training/non_finite.ts";
import type { Observer } from "../../training/observer.ts";
import { imagesOf, networkOf } from "../../training/run.ts";
import { Trainer } from "../../training/trainer.ts";
import {
  assert,
  assertEquals,
  assertMatch,
  assertRejects,
  assertStringIncludes,
} from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";
import { inFolder } from "../support/folder.ts";
import { smokeConfig, trainInFolder } from "../support/runs.ts";

async function makeTrainer(config: Config, observers: readonly Observer[] = []): Promise<Trainer> {
  const { images } = await imagesOf(config, () => {});
  const gpu = await testGpu();
  const trainer = await Trainer.create(gpu, config, networkOf(config), images, observers);
  trainer.state.initialize(config.run.seed);
  return trainer;
}

/** Takes a few healthy steps, then sets one value of a tensor and searches the next step. */
async function findAfter(
  where: (trainer: Trainer) => TensorRef,
  value: number,
  ...overrides: string[]
): Promise<string> {
  const trainer = await makeTrainer(await smokeConfig("model.dropout=0", ...overrides));
  for (let step = 0; step < 3; step++) trainer.step(step);
  const tensor = where(trainer);
  const values = await trainer.gpu.readF32(tensor);
  values[5 % values.length] = value;
  trainer.gpu.write(tensor, values);
  const finding = await findNonFinite(trainer, 3);
  trainer.destroy();
  assertEquals(finding?.step, 4);
  return finding!.text;
}

Deno.test("inspectValues() counts NaN and both infinities, and nothing else", () => {
  const values = Float32Array.of(1, -3e38, NaN, Infinity, -Infinity, 1e-45, 0);
  assertEquals(inspectValues(values), {
    bad: 3,
    first: 2,
    largest: Math.fround(3e38),
  });
  assertEquals(inspectValues(new Float32Array(3)), { bad: 0, first: -1, largest: 0 });
});

const SETTINGS: readonly (readonly string[])[] = [
  [],
  ["train.accumulate=2"],
  ["train.recompute=false", "optim.name=adamw", "optim.weightDecay=0.1"],
  ["diffusion.spectralLoss.lambda=0.1", "diffusion.timestepSampler.name=adaptive"],
];
for (const overrides of SETTINGS) {
  Deno.test(`findNonFinite() finds nothing in healthy steps, with ${overrides.join(" ") || "defaults"}`, async () => {
    const config = await smokeConfig(...overrides);
    const [plain, traced] = [await makeTrainer(config), await makeTrainer(config)];
    for (let step = 0; step < 3; step++) {
      plain.step(step);
      assertEquals(await findNonFinite(traced, step), null);
    }
    assertEquals(await traced.readLosses(0, 1), await plain.readLosses(0, 1));
    const weights = (trainer: Trainer) => trainer.gpu.readF32(trainer.state.weights.chunks[0]!);
    assertEquals(await weights(traced), await weights(plain));
    for (const trainer of [plain, traced]) trainer.destroy();
  });
}

Deno.test("findNonFinite() names the layer whose output overflows, and its inputs", async () => {
  const text = await findAfter(
    ({ state }) => state.weights.get("down.1.blocks.0.conv2.weight"),
    3e38,
  );
  assertMatch(
    text,
    /^the output of down\.1\.blocks\.0\.conv2 \(conv2d\.\S+, \[4, 4, 4, 16\], \d+ of 1,024 values\)/,
  );
  assertStringIncludes(
    text,
    "its inputs are finite, the largest |value| is 3.0e+38 in weights down.1.blocks.0.conv2.weight",
  );
});

Deno.test("findNonFinite() tells an overflow of the backward pass", async () => {
  const text = await findAfter(({ gpu, state }) => {
    const weight = state.weights.get("tail.conv.weight");
    gpu.write(weight, new Float32Array(sizeOf(weight.shape)).fill(1e5));
    return state.lossSeed(1);
  }, 1e30);
  assertMatch(
    text,
    /^in the backward pass, conv2d input gradient of tail\.conv \(\S+, \[4, 8, 8, 8\], [\d,]+ of 2,048 values\); its inputs are finite/,
  );
});

Deno.test("findNonFinite() tells what the optimiser made of finite gradients", async () => {
  const name = "middle.0.conv1.weight";
  const text = await findAfter(({ state }) => state.firstMoments.get(name), 3e38);
  assertStringIncludes(text, `the weights of ${name} (adam`);
  assertMatch(text, /, 1 of [\d,]+ values\)/);
});

Deno.test("findNonFinite() tells a parameter that was bad from the start", async () => {
  for (const value of [NaN, -Infinity]) {
    const text = await findAfter(({ state }) => state.weights.get("tail.conv.bias"), value);
    assertStringIncludes(text, "the parameter tail.conv.bias ([1], 1 of 1 values)");
  }
});

Deno.test("findNonFinite() finds the micro-batch as well", async () => {
  const text = await findAfter(
    ({ state }) => state.weights.get("head.weight"),
    3e38,
    "train.accumulate=2",
  );
  assertStringIncludes(text, "the output of head (conv2d.");
});

Deno.test("findNonFinite() knows that the squares of a large gradient may overflow", async () => {
  const trainer = await makeTrainer(await smokeConfig());
  trainer.gpu.write(trainer.state.lossSeed(1), Float32Array.of(1e30));
  assertEquals(await findNonFinite(trainer, 0), null);
  const norm = await trainer.readGradNorm();
  assert(norm > 1e20 && Number.isFinite(norm), `${norm}`);
  trainer.destroy();
});

Deno.test("findNonFinite() does not blame what observers compute", async () => {
  const gpu = await testGpu();
  const [gathered, large] = ["gathered", "large"].map((label) =>
    gpu.tensor([], { data: Float32Array.of(3e38), label })
  ) as [TensorRef, TensorRef];
  const trainer = await makeTrainer(await smokeConfig("train.accumulate=2"), [{
    everySteps: 1,
    atEnd: false,
    capture: ({ graph: { capture } }) => addInto(capture, gathered, large),
    read: () => Promise.resolve(null),
  }]);
  assertEquals(await findNonFinite(trainer, 0), null);
  gpu.write(trainer.state.weights.get("tail.conv.bias"), Float32Array.of(NaN));
  assertStringIncludes((await findNonFinite(trainer, 1))!.text, "the parameter tail.conv.bias");
  trainer.destroy();
  for (const tensor of [gathered, large]) gpu.destroyTensor(tensor);
});

const failure = (step: number) => new NonFiniteError("loss", step, "a loss");

Deno.test("diagnose() says so when it finds nothing, is asked to stop or takes too long", async () => {
  const trainer = await makeTrainer(await smokeConfig());
  const restart = () => {
    trainer.state.clear();
    return Promise.resolve(trainer.state.initialize(0));
  };
  const going = new AbortController().signal;
  const none = await diagnose(trainer, failure(4), { from: 0, restart, signal: going });
  assertStringIncludes(none, "every tensor was finite, which points at the driver");
  await restart();
  const cut = await diagnose(trainer, failure(4), {
    from: 0,
    restart,
    signal: AbortSignal.abort(),
  });
  assertStringIncludes(cut, "was cut short");
  const options = { from: 0, restart, signal: going, mostMs: 1 };
  const long = await diagnose(trainer, failure(1_000_000), options);
  assertStringIncludes(long, "takes 1,000,000 steps again, too many: go on by --resume");
  trainer.destroy();
});

Deno.test("trainRun() names the step, the first bad tensor and the checkpoint that is left", () =>
  inFolder(async (dir) => {
    const config = await smokeConfig(
      ...["train.sampleEvery=0", "train.evalEvery=0", "optim.lr=1e30"],
      ...["train.checkpointEvery=2", "train.logEvery=6"],
    );
    const error = await assertRejects(() => trainInFolder(config, dir), NonFiniteError);
    assertMatch(
      error.message,
      /^Cannot go on training: the loss of step 3 must be finite, got (NaN|Infinity); in step 3 the first non-finite tensor is the output of \S+ \(/,
    );
    assertStringIncludes(error.message, "its inputs are finite");
    const path = join(dir, "checkpoints", "step-000002.safetensors");
    assertStringIncludes(error.message, `the last good checkpoint is ${path}`);
    assert(!error.message.includes("\n"));
    assertEquals((await listCheckpoints(join(dir, "checkpoints"))).map(({ step }) => step), [2]);
  }));

Deno.test("trainRun() finds the first bad tensor without any checkpoint", () =>
  inFolder(async (dir) => {
    const config = await smokeConfig(
      ...["train.sampleEvery=0", "train.evalEvery=0", "optim.lr=1e30", "train.checkpointEvery=0"],
    );
    const error = await assertRejects(() => trainInFolder(config, dir), NonFiniteError);
    assertStringIncludes(error.message, "in step 3 the first non-finite tensor is the output of");
    assertStringIncludes(error.message, "nothing was saved since the start");
    assertEquals(await listCheckpoints(join(dir, "checkpoints")), []);
  }));

const WATCHED: readonly (readonly string[])[] = [
  ["instruments.bandLoss=true"],
  ["instruments.bandLoss=false"],
  ["train.accumulate=2"],
  ["diffusion.target=x0", "instruments.timestepBins=1"],
  ["diffusion.timestepSampler.name=adaptive", "optim.name=adamw"],
];
for (const overrides of WATCHED) {
  Deno.test(`trainRun() blames what diverged, no instrument that saw it, with ${overrides.join(" ")}`, () =>
    inFolder(async (dir) => {
      const config = await smokeConfig(
        ...["train.sampleEvery=0", "train.evalEvery=0", "optim.lr=1e30", "train.checkpointEvery=0"],
        ...["train.logEvery=6", ...overrides],
      );
      const error = await assertRejects(
        () => trainInFolder(config, dir, { instruments: true }),
        NonFiniteError,
      );
      assertMatch(error.message, /in step [23] the first non-finite tensor is the output of /);
    }));
}
