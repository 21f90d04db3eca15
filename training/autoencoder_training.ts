/**
 * Trains an autoencoder for diffusion among latents: squared error of the images, and a small weight on
 * the divergence of the latents' Gaussians (Rombach et al. 2022, arXiv 2112.10752, appendix G, without
 * its adversary).
 *
 * @module
 */
import { Graph } from "../autograd/graph.ts";
import { add } from "../autograd/ops/add.ts";
import { gaussianDivergence, gaussianSample } from "../autograd/ops/gaussian.ts";
import { mseLoss } from "../autograd/ops/losses.ts";
import { mean } from "../autograd/ops/reduce.ts";
import { scale } from "../autograd/ops/scale.ts";
import type { ImageSet } from "../data/dataset.ts";
import { batchAt } from "../data/order.ts";
import type { Arena } from "../device/arena.ts";
import { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import type { Program } from "../device/program.ts";
import { sizeOf, type TensorRef } from "../device/tensor.ts";
import { randomNormal } from "../kernels/process/random.ts";
import { AutoencoderKL } from "../model/autoencoder/autoencoder.ts";
import type { AutoencoderOptions } from "../model/autoencoder/options.ts";
import { createArena, initialValues, parameterSlots, writeArenas } from "../model/parameters.ts";
import { OPTIMIZER_SCALARS_SHAPE, optimizerScalars, recordOptimizer } from "../optim/adam.ts";
import {
  NO_POWER_EMA,
  type OptimOptions,
  PLAIN_EMA,
  PLAIN_RATE,
  PLAIN_START,
} from "../optim/options.ts";
import { seedKey } from "../support/philox.ts";
import { STREAMS } from "../support/random_streams.ts";
import { ImageBank, indicesOf } from "./batch_source.ts";
import type { StoredAutoencoder } from "./autoencoder_file.ts";
import { pauseForSignals } from "./stop_signals.ts";

/** Steps between two looks at the loss. */
const REPORT_EVERY = 50;

const OPTIM: Omit<OptimOptions, "lr"> = {
  ...{ name: "adam", betas: [0.9, 0.99], eps: 1e-8, weightDecay: 0 },
  ...{ warmupSteps: 50, decay: "cosine", ...PLAIN_RATE, gradClip: 1 },
  ...{ ema: { decay: 0, ...PLAIN_EMA }, powerEma: NO_POWER_EMA, ...PLAIN_START },
};

/** How an autoencoder is trained. */
export interface AutoencoderTraining {
  readonly steps: number;
  /** Images a step. */
  readonly batch: number;
  /** Peak of the learning rate. */
  readonly lr: number;
  /** Weight of the mean divergence of an image's latents. */
  readonly klWeight: number;
  /** Seed of the weights, the order and what is drawn. */
  readonly seed: number;
  /** Told of now and then, and after the last step: losses of the last batch. */
  readonly onStep?: (step: number, losses: AutoencoderLosses) => void;
  /** Aborted when training should end. */
  readonly signal?: AbortSignal;
}

/** Losses of a batch. */
export interface AutoencoderLosses {
  /** Mean square of what images and decoded ones differ by. */
  readonly error: number;
  /** Mean divergence of an image's latents. */
  readonly divergence: number;
}

/**
 * Trains one; its factor for diffusion is set to what gives the latents a deviation of 1.
 *
 * @throws {RangeError} When the images do not fit.
 * @throws {Error} When a loss is not finite.
 */
export async function trainAutoencoder(
  gpu: Gpu,
  images: ImageSet,
  options: AutoencoderOptions,
  training: AutoencoderTraining,
): Promise<Omit<StoredAutoencoder, "checksum"> & { readonly losses: AutoencoderLosses }> {
  const network = new AutoencoderKL(options);
  const { steps, seed, lr } = training;
  const batch = Math.min(training.batch, images.count);
  const labels = ["weights", "gradients", "first moments", "second moments"];
  const arenas = labels.map((label) => createArena(gpu, label, network)) as Arenas;
  writeArenas(gpu, [arenas[0]], initialValues(network, seed));
  const bank = new ImageBank(gpu, images);
  const step = await planStep(gpu, network, arenas, bank, { ...training, batch });
  let losses: AutoencoderLosses = { error: NaN, divergence: NaN };
  try {
    for (let i = 0; i < steps; i++) {
      training.signal?.throwIfAborted();
      const chosen = batchAt(i, batch, images.count, seed);
      step.program.run({
        images: indicesOf(chosen),
        key: [...seedKey(seed), i, 0],
        optimizer: optimizerScalars({ ...OPTIM, lr }, i, steps, batch),
      });
      if ((i + 1) % REPORT_EVERY === 0 || i + 1 === steps) {
        losses = await readLosses(step, i + 1);
        training.onStep?.(i + 1, losses);
        await pauseForSignals();
      } else if (i % 4 === 0) await gpu.finish();
    }
    const weights = new Map<string, Float32Array<ArrayBuffer>>();
    for (const [name, tensor] of arenas[0].tensors) weights.set(name, await gpu.readF32(tensor));
    const scalingFactor = 1 / await deviationOf(step);
    return {
      network: new AutoencoderKL({ ...options, scalingFactor, shiftFactor: null }),
      weights,
      losses,
    };
  } finally {
    step.program.destroy();
    bank.destroy();
    for (const arena of arenas) arena.destroy(gpu);
  }
}

type Arenas = [Arena, Arena, Arena, Arena];

/** A planned step and what is read of it. */
interface PlannedStep {
  readonly program: Program;
  readonly error: TensorRef;
  readonly divergence: TensorRef;
  readonly latents: TensorRef;
}

async function planStep(
  gpu: Gpu,
  network: AutoencoderKL,
  [params, grads, m, v]: Arenas,
  bank: ImageBank,
  { batch, klWeight, lr }: Pick<AutoencoderTraining, "batch" | "klWeight" | "lr">,
): Promise<PlannedStep> {
  const capture = new Capture(gpu, "autoencoder's training step");
  const graph = new Graph(capture, { parameters: parameterSlots(network, params, grads) });
  const x = graph.constant(bank.gather(capture, capture.input("images", [batch], "u32")));
  const gaussians = network.encode(x);
  const [samples = 0, ...shape] = gaussians.mean.shape;
  const noise = randomNormal(capture, capture.input("key", [4], "u32"), {
    ...{ samples, shape, stream: STREAMS.latentDraws },
  });
  const z = gaussianSample(gaussians, graph.constant(noise));
  const error = mseLoss(network.decode(z), x);
  const divergence = mean(gaussianDivergence(gaussians));
  // An image's squared error is a sum over its values, and so is its divergence.
  const values = sizeOf(x.shape.slice(1));
  graph.backward(add(error, scale(divergence, klWeight / values)));
  const scalars = capture.input("optimizer", OPTIMIZER_SCALARS_SHAPE);
  recordOptimizer(capture, { params, grads, m, v, options: { ...OPTIM, lr }, scalars });
  for (const tensor of [error, divergence, z]) capture.keep(tensor.ref);
  const program = await capture.plan();
  return { program, error: error.ref, divergence: divergence.ref, latents: z.ref };
}

async function readLosses(
  { program, ...refs }: PlannedStep,
  step: number,
): Promise<AutoencoderLosses> {
  const [error = NaN] = await program.readF32(refs.error);
  const [divergence = NaN] = await program.readF32(refs.divergence);
  if (Number.isFinite(error) && Number.isFinite(divergence)) return { error, divergence };
  throw new Error(
    `Cannot train an autoencoder: the losses of step ${step} must be finite, got ${error} and ` +
      `${divergence}; a lower --lr may do`,
  );
}

/** Standard deviation of the last batch's latents around 0. */
async function deviationOf({ program, latents }: PlannedStep): Promise<number> {
  const values = await program.readF32(latents);
  return Math.sqrt(values.reduce((sum, value) => sum + value * value, 0) / values.length);
}
