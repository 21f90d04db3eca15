import { Graph, type Recompute } from "../../autograd/graph.ts";
import { mseLoss } from "../../autograd/ops/losses.ts";
import { loadConfig } from "../../config/load.ts";
import { Capture } from "../../device/capture.ts";
import { planMemory } from "../../device/plan_memory.ts";
import { planningGpu } from "../../device/planning_gpu.ts";
import { setVariantPolicy } from "../../kernels/shared/variants.ts";
import { createArena, parameterSlots } from "../../model/parameters.ts";
import { imagesOf, networkOf } from "../../training/run.ts";
import { Trainer } from "../../training/trainer.ts";
import { assert, assertAllClose } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";
import { smokeConfig } from "../support/runs.ts";

/** Two steps of a network with dropout, attention and shortcuts. */
async function train(recompute: Recompute, accumulate: number) {
  const gpu = await testGpu();
  const config = await smokeConfig(
    `train.recompute=${recompute}`,
    `train.accumulate=${accumulate}`,
    "train.logEvery=2",
    "model.channels=8",
    "model.channelMultipliers=[1,2]",
    "model.attentionLevels=[0]",
    "model.blocks=2",
    "model.dropout=0.3",
    "model.groups=4",
    "optim.warmupSteps=0",
  );
  const { images } = await imagesOf(config, () => {});
  const trainer = await Trainer.create(gpu, config, networkOf(config), images);
  trainer.state.initialize(1);
  for (let step = 0; step < 2; step++) trainer.step(step);
  const numbers = [...await trainer.readLosses(0, 2), await trainer.readGradNorm()];
  for (const tensor of trainer.state.weights.tensors.values()) {
    numbers.push(...await gpu.readF32(tensor));
  }
  const { peakBytes, textureBytes } = trainer.memory;
  const result = { numbers, peak: peakBytes - textureBytes };
  trainer.destroy();
  return result;
}

for (const accumulate of [1, 2]) {
  Deno.test(`Trainer.step() gives equal bits and needs less memory the more it recomputes, with ${accumulate} micro-batches`, async () => {
    const kept = await train(false, accumulate);
    const cheap = await train(true, accumulate);
    const blocks = await train("blocks", accumulate);
    for (const [name, { numbers }] of Object.entries({ cheap, blocks })) {
      assertAllClose(numbers, kept.numbers, { rtol: 0, atol: 0, name });
    }
    const peaks = `${kept.peak}, ${cheap.peak} and ${blocks.peak} bytes`;
    // Blocks of half a batch are small beside what is not theirs.
    const share = accumulate === 1 ? 0.8 : 0.9;
    assert(cheap.peak < 0.9 * kept.peak && blocks.peak < share * cheap.peak, peaks);
  });
}

/** Forward and backward pass of the CIFAR-10 network on 64 images, as a plan. */
async function planCifar(recompute: Recompute) {
  const gpu = planningGpu(await testGpu());
  // As a card has it: copies of operands in textures take the same memory whatever is recomputed.
  setVariantPolicy(gpu, { forced: "tiled" });
  const network = networkOf(await loadConfig("config/cifar10.json"));
  const [weights, grads] = ["weights", "gradients"].map((name) => createArena(gpu, name, network));
  const capture = new Capture(gpu, "CIFAR-10");
  const parameters = parameterSlots(network, weights!, grads);
  const random = capture.input("random", [4], "u32");
  const graph = new Graph(capture, { parameters, training: true, recompute, random });
  const image = (name: string) => graph.constant(capture.input(name, [64, 32, 32, 3]));
  const output = network.forward(graph, {
    x: image("x"),
    level: capture.input("timesteps", [64], "u32"),
  });
  graph.backward(mseLoss(output, image("noise")));
  const dispatches = capture.dispatches.length;
  return { dispatches, peak: planMemory(capture).memory.peakBytes };
}

Deno.test("Graph.backward() of the CIFAR-10 network takes at most 425 dispatches with recomputation", async () => {
  const kept = await planCifar(false), cheap = await planCifar(true);
  const blocks = await planCifar("blocks");
  const counts = [kept, cheap, blocks].map(({ dispatches }) => dispatches);
  assert(
    cheap.dispatches <= 425 && kept.dispatches <= 425 && blocks.dispatches <= 530,
    `${counts}`,
  );
  const peaks = `${kept.peak}, ${cheap.peak} and ${blocks.peak} bytes`;
  assert(cheap.peak < 0.7 * kept.peak && blocks.peak < 0.6 * cheap.peak, peaks);
  // As skip connections need no copies, keeping everything takes less too, so that shares say little.
  assert(kept.peak < 2.1e9 && cheap.peak < 1.44e9 && blocks.peak < 8.24e8, peaks);
});
