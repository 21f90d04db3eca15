/** A network that knows nothing but classes: what reaches it is seen in what it learns. */
import type { Graph, Tensor } from "../../autograd/graph.ts";
import type { NetworkInputs } from "../../autograd/network_inputs.ts";
import { gatherRows } from "../../autograd/ops/gather_rows.ts";
import { reshape } from "../../autograd/ops/reshape.ts";
import { Parameter } from "../../autograd/parameter.ts";
import { imageSet } from "../../data/dataset.ts";
import type { Gpu } from "../../device/gpu.ts";
import { predictorOf } from "../../diffusion/denoiser.ts";
import { Sampler } from "../../diffusion/sampling.ts";
import { Spectra } from "../../metrics/instruments/spectra.ts";
import { zeros } from "../../model/init.ts";
import { Module } from "../../model/module.ts";
import type { Network } from "../../model/network.ts";
import { forwardWork } from "../../model/network_capture.ts";
import { parameterSlots } from "../../model/parameters.ts";
import { createPreview } from "../../training/preview.ts";
import { prepareRunFolder } from "../../training/run_folder.ts";
import { Trainer } from "../../training/trainer.ts";
import { createValidation } from "../../training/validation.ts";
import { assert, assertAllClose, assertEquals, assertRejects } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { testGpu } from "../support/gpu.ts";
import { smokeConfig } from "../support/runs.ts";
import { isEvaluation } from "../../diffusion/moves.ts";
import { networkSampler } from "../../training/network_sampler.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { samplerMoves } from "../../diffusion/samplers/registry.ts";

const SIDE = 4, LENGTH = SIDE * SIDE, CLASSES = 3;

/** A picture for each class, whatever the noisy image shows. */
class ClassMeans extends Module implements Network {
  readonly conditioning = { labels: CLASSES, augment: 1 };
  readonly pictures = new Parameter([CLASSES, LENGTH], zeros);

  forward(graph: Graph, { x, labels, augment }: NetworkInputs): Tensor {
    assertEquals(augment?.shape, [x.shape[0]!, 1]);
    const rows = gatherRows(graph.parameter(this.pictures), graph.constant(labels!));
    return reshape(rows, x.shape);
  }
}

/** Grey images, as bright as their class. */
function greys(name: string, count: number) {
  const labels = Uint8Array.from({ length: count }, (_, i) => i % CLASSES);
  const images = new Uint8Array(count * LENGTH).map((_, i) => 60 * labels[Math.floor(i / LENGTH)]!);
  return imageSet(name, { images, labels, count, height: SIDE, width: SIDE, channels: 1 });
}

/** The grey of a class, from -1 to 1. */
const greyOf = (label: number) => 60 * label / 127.5 - 1;

const CONFIG = [
  ...["data.size=4", "data.synthetic.count=12", "diffusion.target=x0", "train.batchSize=6"],
  ...["optim.lr=0.05", "optim.warmupSteps=0", "train.steps=120", "train.logEvery=120"],
  ...["data.holdout=7", "train.evalCount=5", "optim.gradClip=0", "train.accumulate=2"],
];

async function trained(gpu: Gpu): Promise<Trainer> {
  const config = await smokeConfig(...CONFIG);
  const trainer = await Trainer.create(gpu, config, new ClassMeans(), greys("greys", 12));
  trainer.state.initialize(1);
  for (let step = 0; step < 120; step++) trainer.step(step);
  return trainer;
}

/** The grey of each image. */
const meansOf = (images: Float32Array) =>
  Array.from(
    { length: images.length / LENGTH },
    (_, i) =>
      images.subarray(i * LENGTH, (i + 1) * LENGTH).reduce((sum, value) => sum + value, 0) / LENGTH,
  );

Deno.test("Trainer.step() gives labels to a network, which validation, previews and spectra do too", () =>
  inFolder(async (folder) => {
    const gpu = await testGpu();
    const trainer = await trained(gpu);
    const [pictures] = trainer.state.weights.tensors.values();
    const expected = [0, 1, 2].flatMap((label) => Array(LENGTH).fill(greyOf(label)));
    assertAllClose(await gpu.readF32(pictures!), expected, { atol: 0.02 });

    const validation = await createValidation(trainer, greys("held out", 7));
    const valLoss = (await validation.read(120))!.valLoss as number;
    assert(valLoss < 1e-3, `${valLoss}`);

    let seen: Float32Array = new Float32Array();
    const watcher = {
      ...{ everySteps: 1, atEnd: false, read: () => Promise.resolve(null) },
      preview: (images: Float32Array) => void (seen = images),
    };
    const preview = await createPreview(trainer, await prepareRunFolder(folder), [watcher]);
    await preview!.read(120);
    // The seeds are 0 to 3.
    assertAllClose(meansOf(seen), [0, 1, 2, 0].map(greyOf), { atol: 0.02 });

    const { process } = trainer, { instruments } = await smokeConfig();
    const spectra = await Spectra.create({
      ...{ gpu, process, images: trainer.images, seed: 0, batch: 4, everySteps: 1 },
      ...predictorOf(trainer.network),
      parameters: parameterSlots(trainer.network, trainer.state.ema),
      options: { ...instruments, spectraCount: 6, spectraReference: 6, spectraTimesteps: [0.5] },
    });
    const { data, probe: [probe] } = await spectra.read();
    assertAllClose(probe!.predicted.power.slice(0, 1), data.power.slice(0, 1), { rtol: 0.05 });
    const overdue = AbortSignal.abort(new Error("overdue"));
    for (const look of [validation, preview!, spectra]) {
      await assertRejects(() => look.read(121, overdue), Error, "overdue");
    }
    for (const made of [spectra, preview!, validation, trainer]) made.destroy();
  }));

Deno.test("Sampler.sample() draws the classes that are asked for, else those of the seeds", async () => {
  const gpu = await testGpu();
  const trainer = await trained(gpu);
  const { network, state, config, process, imageSize: size } = trainer;
  const sampled = { network, weights: state.weights, process, size, batch: 2 };
  const sampler = await networkSampler(gpu, sampled);
  const steps = samplerMoves(process, config.diffusion.sampler).filter(isEvaluation);
  const asked = [2, 0, 0, 1, 2];
  const drawn = await sampler.sample(steps, [5, 6, 7, 8, 9], { labels: asked });
  assertAllClose(meansOf(drawn), asked.map(greyOf), { atol: 0.02 });
  const own = await sampler.sample(steps, [5, 6, 7]);
  assertAllClose(meansOf(own), [2, 0, 1].map(greyOf), { atol: 0.02 });
  assert((await sampler.profileStep(steps[0]!, 4)).length > 0);
  for (
    const [labels, message] of [[[0, 3], "labels from 0 to 2, got 3"], [[1], "got 1"]] as const
  ) {
    await assertRejects(() => sampler.sample(steps, [1, 2], { labels }), RangeError, message);
  }
  sampler.destroy();
  trainer.destroy();
});

Deno.test("Sampler.sample() refuses classes where the network knows of none", async () => {
  const denoise = (_: Graph, { x }: NetworkInputs) => x;
  const process = makeProcess((await smokeConfig()).diffusion);
  const sampler = await Sampler.create(await testGpu(), {
    ...{ shape: [2, SIDE, SIDE, 1] as const, parameters: new Map(), denoise, process },
  });
  await assertRejects(
    () => sampler.sample([], [1], { labels: [0] }),
    RangeError,
    "Cannot sample classes: the network must know of classes, it knows none",
  );
  sampler.destroy();
});

Deno.test("forwardWork() captures a network that wants labels", () => {
  const image = { height: SIDE, width: SIDE, channels: 1 };
  assertEquals(forwardWork(new ClassMeans(), image).multiplyAdds, 0);
});
