import type { Config } from "../../config/schema.ts";
import { addInto } from "../../kernels/elementwise/add.ts";
import type { Collective } from "../../training/collective.ts";
import type { Observer } from "../../training/observer.ts";
import { imagesOf, networkOf } from "../../training/run.ts";
import { Trainer } from "../../training/trainer.ts";
import {
  assert,
  assertAllClose,
  assertAlmostEquals,
  assertEquals,
  assertRejects,
} from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";
import { together } from "../support/ranks.ts";
import { smokeConfig } from "../support/runs.ts";

async function makeTrainer(
  config: Config,
  observers: readonly Observer[] = [],
  collective?: Collective,
): Promise<Trainer> {
  const { images } = await imagesOf(config, () => {});
  const trainer = await Trainer.create(
    await testGpu(),
    config,
    networkOf(config),
    images,
    observers,
    undefined,
    collective,
  );
  trainer.state.initialize(config.run.seed);
  return trainer;
}

/** All weights, one after the other. */
async function weightsOf({ gpu, state }: Trainer): Promise<number[]> {
  const values: number[] = [];
  for (const tensor of state.weights.tensors.values()) values.push(...await gpu.readF32(tensor));
  return values;
}

async function train(config: Config, steps: number) {
  const trainer = await makeTrainer(config);
  for (let step = 0; step < steps; step++) trainer.step(step);
  const result = {
    weights: await weightsOf(trainer),
    losses: await trainer.readLosses(0, steps),
    gradNorm: await trainer.readGradNorm(),
  };
  trainer.destroy();
  return result;
}

Deno.test("Trainer.step() gives the same bits every time, and others for another seed", async () => {
  const config = await smokeConfig("train.logEvery=4");
  const first = await train(config, 4);
  assertEquals(await train(config, 4), first);
  const other = await train(await smokeConfig("train.logEvery=4", "run.seed=1"), 4);
  assert(other.losses.every((loss, i) => loss !== first.losses[i]));
});

Deno.test("Trainer.step() takes the same steps with accumulated micro-batches", async () => {
  const whole = await train(await smokeConfig("train.logEvery=4"), 4);
  for (const accumulate of [2, 4]) {
    const config = await smokeConfig("train.logEvery=4", `train.accumulate=${accumulate}`);
    const parts = await train(config, 4);
    assertAllClose(parts.losses, whole.losses, { rtol: 1e-4, name: "losses" });
    assertAlmostEquals(parts.gradNorm, whole.gradNorm, 1e-3);
    // Adam turns round-off in tiny gradients into steps of its learning rate, here at most 1e-3.
    const far = parts.weights.filter((value, i) => Math.abs(value - whole.weights[i]!) > 2e-4);
    assert(far.length < 0.005 * whole.weights.length, `${far.length} weights are far away`);
    assertEquals(await train(config, 4), parts);
  }
});

Deno.test("Trainer.step() of two ranks takes the steps of one with two micro-batches, to the bit", async () => {
  const gpu = await testGpu();
  const changes = ["train.logEvery=4", "model.dropout=0.1"];
  const one = await train(await smokeConfig(...changes, "train.accumulate=2"), 4);
  const config = await smokeConfig(...changes);
  const ranks = await Promise.all(
    together(gpu, 2).map((collective) => makeTrainer(config, [], collective)),
  );
  for (let step = 0; step < 4; step++) await Promise.all(ranks.map((rank) => rank.step(step)));
  const losses = await Promise.all(ranks.map((rank) => rank.readLosses(0, 4)));
  for (const rank of ranks) {
    assertEquals(await weightsOf(rank), one.weights);
    assertEquals(await rank.readGradNorm(), one.gradNorm);
    rank.destroy();
  }
  for (const read of losses) assertEquals(read, one.losses);
});

Deno.test("Trainer.create() refuses ranks that the batch can't be shared among, and learnt timesteps", async () => {
  const gpu = await testGpu();
  const refuse = async (ranks: number, message: string, ...changes: string[]) => {
    const config = await smokeConfig(...changes);
    const [collective] = together(gpu, ranks);
    await assertRejects(() => makeTrainer(config, [], collective), RangeError, message);
  };
  await refuse(3, "train.batchSize must be a multiple of 3", "train.batchSize=4");
  await refuse(
    2,
    "diffusion.timestepSampler must not learn from losses",
    "diffusion.timestepSampler.name=adaptive",
  );
});

Deno.test("Trainer.step() leaves the weights alone at the first step of a warm-up", async () => {
  const trainer = await makeTrainer(await smokeConfig());
  const before = await weightsOf(trainer);
  trainer.step(0);
  assertEquals(await weightsOf(trainer), before);
  assertEquals(trainer.learningRate, 0);
  trainer.step(1);
  assert((await weightsOf(trainer)).some((value, i) => value !== before[i]));
  assertEquals(trainer.learningRate, 0.5e-3);
  trainer.destroy();
});

for (const accumulate of [1, 2]) {
  Deno.test(`Trainer.step() makes no GPU object and one submit a micro-batch, with ${accumulate}`, async () => {
    const gpu = await testGpu();
    const trainer = await makeTrainer(await smokeConfig(`train.accumulate=${accumulate}`));
    trainer.step(0);
    await trainer.readLosses(0, 1);
    const { submits: first, ...before } = gpu.counters;
    for (let step = 1; step < 20; step++) trainer.step(step);
    const { submits } = gpu.counters;
    await trainer.readLosses(19, 20);
    const { submits: _, ...after } = gpu.counters;
    assertEquals(after, before);
    assertEquals(submits - first, 19 * accumulate);
    trainer.destroy();
  });
}

Deno.test("Trainer.destroy() gives back every byte", async () => {
  const gpu = await testGpu();
  const config = await smokeConfig();
  (await makeTrainer(config)).destroy();
  const before = gpu.counters.bufferBytes;
  (await makeTrainer(config)).destroy();
  assertEquals(gpu.counters.bufferBytes, before);
});

Deno.test("Trainer.step() learns: the loss on a few images falls by half", async () => {
  const config = await smokeConfig(
    "data.synthetic.count=8",
    "train.batchSize=8",
    "train.logEvery=120",
    "train.steps=120",
    "model.dropout=0",
    "optim.lr=3e-3",
  );
  const { losses } = await train(config, 120);
  const mean = (list: number[]) => list.reduce((sum, value) => sum + value, 0) / list.length;
  const before = mean(losses.slice(0, 3)), after = mean(losses.slice(-30));
  assert(after < before / 2, `the loss went from ${before} to ${after}`);
});

Deno.test("Trainer.create() lets observers record on the step", async () => {
  const gpu = await testGpu();
  const sum = gpu.tensor([], { label: "sum of losses" });
  const observer: Observer = {
    everySteps: 1,
    atEnd: false,
    capture: ({ graph, loss }) => addInto(graph.capture, sum, loss.ref),
    read: () => Promise.resolve(null),
  };
  const trainer = await makeTrainer(await smokeConfig("train.logEvery=3"), [observer]);
  for (let step = 0; step < 3; step++) trainer.step(step);
  const losses = await trainer.readLosses(0, 3);
  assertAlmostEquals((await gpu.readF32(sum))[0]!, losses.reduce((a, b) => a + b), 1e-5);
  trainer.destroy();
});

Deno.test("Trainer.profileStep() times every kernel of a step, longest first", async () => {
  const trainer = await makeTrainer(await smokeConfig("train.accumulate=2"));
  const kernels = await trainer.profileStep(0);
  assert(kernels.some(({ name }) => name.startsWith("conv2d")));
  assertEquals(new Set(kernels.map(({ name }) => name)).size, kernels.length);
  assert(kernels.every(({ ms }, i) => i === 0 || ms <= kernels[i - 1]!.ms));
  trainer.destroy();
});
