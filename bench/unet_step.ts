/**
 * Whole steps of the U-Nets that runs train: a training step as train.ts makes it and a sampling step.
 *
 * @module
 */
import { isCpu } from "../device/cpu_lanes.ts";
import { Graph } from "../autograd/graph.ts";
import { parseConfig } from "../config/load.ts";
import { imageSet } from "../data/dataset.ts";
import { makeSynthetic } from "../data/sets/synthetic.ts";
import { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import type { Program } from "../device/program.ts";
import { sizeOf, type TensorRef } from "../device/tensor.ts";
import { STREAMS } from "../support/random_streams.ts";
import { copyInto } from "../kernels/elementwise/add.ts";
import { randomNormal } from "../kernels/process/random.ts";
import { SAMPLER_SCALARS, samplerScalars, samplerStep } from "../kernels/process/sampler_step.ts";
import { setVariantPolicy, variantPolicy } from "../kernels/shared/variants.ts";
import { createNetwork } from "../model/networks/registry.ts";
import { createArena, initialValues, parameterSlots, writeArenas } from "../model/parameters.ts";
import type { Network } from "../model/network.ts";
import { assertAllClose } from "../tests/support/assert.ts";
import { randomValues } from "../tests/support/gpu.ts";
import { Trainer } from "../training/trainer.ts";
import type { BenchCase, BenchOptions, BenchRun } from "./bench_case.ts";
import { checkGradient } from "./gradient_check.ts";

const SIZE = 32;

/** A network to be measured. */
interface UNetBench {
  readonly name: string;
  readonly summary: string;
  readonly batch: (options: BenchOptions) => number;
  /** Channels of an image. */
  readonly images: number;
  readonly model: {
    readonly channels: number;
    readonly channelMultipliers: readonly number[];
    readonly attentionLevels: readonly number[];
    readonly blocks: number;
    readonly dropout: number;
    readonly groups: number;
  };
}

const SMALL: UNetBench = {
  name: "small_unet",
  summary: "U-Net of 32, 64, 64 channels, one block, attention at 16 x 16, 32 images of 32 x 32",
  batch: () => 32,
  images: 3,
  model: {
    channels: 32,
    channelMultipliers: [1, 2, 2],
    attentionLevels: [1],
    blocks: 1,
    dropout: 0.1,
    groups: 32,
  },
};

const CIFAR10: UNetBench = {
  name: "cifar10_unet",
  summary: "the U-Net of Ho et al. 2020 for CIFAR-10, 35.7 M weights, --batch images",
  batch: ({ batch }) => batch,
  images: 3,
  model: {
    channels: 128,
    channelMultipliers: [1, 2, 2, 2],
    attentionLevels: [1],
    blocks: 2,
    dropout: 0.1,
    groups: 32,
  },
};

/**
 * At the sizes that the benchmark inferena has for its small diffusion U-Net. That one is of convolutions
 * alone, with about 2 M weights; ours, of 10 M, has time embeddings and attention besides.
 */
const LATENT: UNetBench = {
  name: "latent_unet",
  summary: "U-Net of 64, 128, 256 channels, one block, 2 images of 32 x 32 x 4",
  batch: () => 2,
  images: 4,
  model: {
    channels: 64,
    channelMultipliers: [1, 2, 4],
    attentionLevels: [],
    blocks: 1,
    dropout: 0.1,
    groups: 16,
  },
};

const NETWORKS = [SMALL, CIFAR10, LATENT];

/** The networks as `pytorch_step.py` takes them. */
export function pytorchNetworks(options: BenchOptions) {
  return NETWORKS.map(({ name, batch, images, model }) => ({
    ...{ name, batch: batch(options), size: SIZE, images },
    ...{ channels: model.channels, multipliers: model.channelMultipliers },
    ...{ attention: model.attentionLevels, blocks: model.blocks, groups: model.groups },
  }));
}

/** Images of made-up shapes, those of further channels the same as of the first ones. */
function imagesOf({ images: channels }: UNetBench, count: number) {
  const made = makeSynthetic({ kind: "shapes", channels: 3, power: 2 }, "train", count, SIZE);
  const images = Uint8Array.from(
    { length: count * SIZE * SIZE * channels },
    (_, i) => made.images[Math.floor(i / channels) * 3 + i % channels % 3]!,
  );
  return imageSet("synthetic", { ...made, images, channels });
}

function networkOf(bench: UNetBench, { model, diffusion }: ReturnType<typeof configOf>) {
  const { timesteps } = diffusion;
  return createNetwork(model, { height: SIZE, width: SIZE, channels: bench.images, timesteps });
}

function configOf({ name, model }: UNetBench, batch: number) {
  const config = {
    data: { name: "synthetic", size: SIZE, synthetic: { kind: "shapes", channels: 3 } },
    model,
    train: { batchSize: batch },
  };
  return parseConfig(JSON.stringify(config), { path: name });
}

/** Initial weights with noise: the last convolution starts at zero, and so would most gradients. */
function* perturbed(network: Network) {
  let seed = 1;
  for (const [name, values] of initialValues(network, 1)) {
    const noise = randomValues(values.length, seed++, 0.02);
    yield [name, values.map((value, i) => value + noise[i]!)] as const;
  }
}

function trainingStep(bench: UNetBench): BenchCase {
  return {
    name: `${bench.name}_step`,
    summary: `training step, ${bench.summary}`,
    unit: "s/step",
    ceiling: "multiply_add",
    open(gpu, options) {
      const batch = bench.batch(options);
      const config = configOf(bench, batch);
      const network = networkOf(bench, config);
      const images = imagesOf(bench, batch);
      let trainer: Trainer | undefined;
      let step = 0;
      return {
        get work() {
          return 2 * (trainer?.work.multiplyAdds ?? 0);
        },
        async start() {
          trainer = await Trainer.create(gpu, config, network, images);
          const { weights, ema } = trainer.state;
          writeArenas(gpu, [weights, ema], perturbed(network));
        },
        run: () => trainer!.step(step++),
        async dispatches() {
          const kernels = await trainer!.profileStep(step++);
          return kernels.reduce((sum, kernel) => sum + kernel.dispatches, 0);
        },
        validate: () =>
          checkGradient(gpu, trainer!.state.weights, trainer!.state.grads, async () => {
            trainer!.step(0);
            return (await trainer!.readLosses(0, 1))[0]!;
          }),
        destroy: () => trainer?.destroy(),
      } satisfies BenchRun;
    },
  };
}

/** One update of a DDIM step in the middle of a run. */
const UPDATE = samplerScalars({
  xToX0: 1.2,
  fToX0: -0.6,
  clip: true,
  fromX0: 0.9,
  fromX: 0,
  fromF: 0.3,
  noise: 0.1,
});

/** A sampling step as a program over images of its own. */
async function planSampling(
  gpu: Gpu,
  network: Network,
  parameters: Slots,
  [batch, channels]: readonly [batch: number, channels: number],
) {
  const shape = [batch, SIZE, SIZE, channels];
  const values = randomValues(sizeOf(shape), 7);
  const x = gpu.tensor(shape, { data: values });
  const capture = new Capture(gpu, "sampling step");
  const keys = capture.input("keys", [batch, 4], "u32");
  const timesteps = capture.input("timesteps", [batch], "u32");
  const scalars = capture.input("scalars", [SAMPLER_SCALARS]);
  const graph = new Graph(capture, { parameters });
  const f = network.forward(graph, { x: graph.constant(x), level: timesteps }).ref;
  const random = { samples: batch, shape: shape.slice(1), stream: STREAMS.samplerNoise };
  const z = randomNormal(capture, keys, random);
  copyInto(capture, x, samplerStep(capture, { x, f, z }, scalars));
  const program = await capture.plan();
  const inputs = {
    keys: Uint32Array.from({ length: 4 * batch }, (_, i) => i % 4 === 0 ? i : 0),
    timesteps: new Uint32Array(batch).fill(400),
    scalars: UPDATE,
  };
  return { x, program, run: () => program.run(inputs) };
}

type Slots = ReturnType<typeof parameterSlots>;

/**
 * The first image after a step by another family of kernels: plain ones on a card, tiles on a CPU, where
 * plain ones would take minutes.
 */
async function firstImage(gpu: Gpu, network: Network, parameters: Slots, channels: number) {
  const policy = variantPolicy(gpu);
  setVariantPolicy(gpu, { forced: isCpu(gpu) ? "tiled" : "plain" });
  let step: { x: TensorRef; program: Program; run: () => void };
  try {
    step = await planSampling(gpu, network, parameters, [1, channels]);
  } finally {
    setVariantPolicy(gpu, policy);
  }
  step.run();
  const image = await gpu.readF32(step.x);
  step.program.destroy();
  gpu.destroyTensor(step.x);
  return image;
}

function samplingStep(bench: UNetBench): BenchCase {
  return {
    name: `${bench.name}_sample`,
    summary: `sampling step, ${bench.summary}`,
    unit: "s/step",
    ceiling: "multiply_add",
    open(gpu, options) {
      const batch = bench.batch(options);
      const network = networkOf(bench, configOf(bench, batch));
      const weights = createArena(gpu, "weights", network);
      writeArenas(gpu, [weights], perturbed(network));
      const parameters = parameterSlots(network, weights);
      let step: { x: TensorRef; program: Program; run: () => void } | undefined;
      return {
        get work() {
          return 2 * (step?.program.work.multiplyAdds ?? 0);
        },
        async start() {
          step = await planSampling(gpu, network, parameters, [batch, bench.images]);
        },
        run: () => step!.run(),
        dispatches: () => step!.program.dispatchCount,
        async validate() {
          const expected = await firstImage(gpu, network, parameters, bench.images);
          const actual = (await gpu.readF32(step!.x)).subarray(0, expected.length);
          assertAllClose(actual, expected, { rtol: 1e-3, atol: 1e-3, name: "the first image" });
        },
        destroy() {
          step?.program.destroy();
          if (step) gpu.destroyTensor(step.x);
          weights.destroy(gpu);
        },
      } satisfies BenchRun;
    },
  };
}

/** Training and sampling steps of the networks. */
export const UNET_STEPS: readonly BenchCase[] = NETWORKS.flatMap((bench) => [
  trainingStep(bench),
  samplingStep(bench),
]);
