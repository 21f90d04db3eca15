/**
 * Training that is watched: steps, the loss by band of frequency, and samples in between.
 *
 * @module
 */
import type { ImageSet } from "../../../data/dataset.ts";
import type { Gpu } from "../../../device/gpu.ts";
import { predictorOf } from "../../../diffusion/denoiser.ts";
import { targetOutputs } from "../../../diffusion/parameterizations/registry.ts";
import { isLearned } from "../../../diffusion/posterior.ts";
import type { Process } from "../../../diffusion/process.ts";
import { samplerMoves } from "../../../diffusion/samplers/registry.ts";
import { Sampler } from "../../../diffusion/sampling.ts";
import { BandLoss, type BandMatrix } from "../../../metrics/instruments/band_loss.ts";
import { parameterSlots } from "../../../model/parameters.ts";
import { createNetwork } from "../../../model/networks/registry.ts";
import { pause } from "../../../support/pause.ts";
import { planeOf, processOn } from "../../../training/plane_process.ts";
import type { RunConfig } from "../../../training/run_config.ts";
import { Trainer } from "../../../training/trainer.ts";

/** Steps of a sample at most. */
const SAMPLE_STEPS = 20;
/** Bins of timesteps that losses are gathered in; the page shows their mean. */
const BINS = 10;

/** What the last steps were like. */
export interface TrainingLine {
  /** Completed steps. */
  readonly step: number;
  /** Mean of the losses. */
  readonly loss: number;
  /** Of each step since the line before. */
  readonly losses: readonly number[];
  /** Lower bound of |k| of each band. */
  readonly bands: readonly number[];
  /** Loss in the noise by band, 1 for a network that says nothing; NaN where nothing was measured. */
  readonly byBand: readonly number[];
  /** Milliseconds a step. */
  readonly milliseconds: number;
}

/** A run as long as it is asked to. */
export interface TrainingPlan {
  readonly config: RunConfig;
  /** Optimiser steps of the whole run, at which the learning rate aims. */
  readonly steps: number;
  readonly seed: number;
  /** Images of a sample. */
  readonly samples: number;
}

/** See the module. */
export class LiveTraining {
  #step = 0;

  private constructor(
    private readonly gpu: Gpu,
    private readonly process: Process,
    private readonly trainer: Trainer,
    private readonly bands: BandLoss,
    private readonly sampler: Sampler,
    private readonly plan: TrainingPlan,
  ) {}

  /** Makes a network with fresh weights, and the programs that train and sample it. */
  static async create(gpu: Gpu, plan: TrainingPlan, images: ImageSet): Promise<LiveTraining> {
    const config = configOf(plan);
    const { height, width, channels } = images;
    const process = processOn(config, planeOf(config, images));
    const { timesteps, target } = config.diffusion, outputs = targetOutputs(target, channels);
    const network = createNetwork(config.model, { height, width, channels, outputs, timesteps });
    const everySteps = config.train.logEvery;
    const timestepBins = Math.min(BINS, timesteps);
    const bands = new BandLoss(gpu, { process, height, width, timestepBins, everySteps });
    const trainer = await Trainer.create(gpu, config, network, images, [bands], process);
    trainer.state.initialize(config.run.seed);
    const sampler = await Sampler.create(gpu, {
      shape: [plan.samples, height, width, channels],
      parameters: parameterSlots(network, trainer.state.ema),
      ...predictorOf(network, isLearned(process.variance)),
      process,
    });
    return new LiveTraining(gpu, process, trainer, bands, sampler, plan);
  }

  /** Completed steps. */
  get step(): number {
    return this.#step;
  }

  /**
   * Trains up to `steps`, or until told to stop, after each of which the page may draw.
   *
   * @param onStep After each step.
   * @throws {Error} When a loss is not finite, or the device fails.
   */
  async train(steps: number, onStep: () => void, signal?: AbortSignal): Promise<TrainingLine> {
    const first = this.#step, started = performance.now();
    while (this.#step < steps) {
      await this.trainer.step(this.#step++);
      // The queue would take any number of steps.
      await this.gpu.finish();
      onStep();
      await pause();
      this.gpu.health.check();
      signal?.throwIfAborted();
    }
    const milliseconds = (performance.now() - started) / (steps - first);
    const losses = await this.trainer.readLosses(first, steps);
    const loss = losses.reduce((sum, value) => sum + value, 0) / losses.length;
    if (!Number.isFinite(loss)) {
      throw new Error(`Cannot go on training: the loss must be finite, got ${loss}`);
    }
    const { bands, counts, epsilon } = await this.bands.read();
    return { step: steps, loss, losses, bands, byBand: meansByBand(epsilon, counts), milliseconds };
  }

  /** Images of the averaged weights, of the same seeds each time. */
  async sample(signal?: AbortSignal): Promise<Float32Array<ArrayBuffer>> {
    const { sampler } = this.plan.config.diffusion;
    const steps = Math.min(SAMPLE_STEPS, sampler.steps ?? this.process.schedule.timesteps);
    const moves = samplerMoves(this.process, { ...sampler, name: "ddim", steps, eta: 0 });
    const seeds = Array.from({ length: this.plan.samples }, (_, i) => i);
    return await this.sampler.sample(moves, seeds, {
      onStep: () => pause(),
      ...signal ? { signal } : {},
    });
  }

  /** Frees everything. */
  destroy(): void {
    this.sampler.destroy();
    this.trainer.destroy();
    this.bands.destroy();
  }
}

/** The config of a run of so many steps; warming up takes a quarter of them at most. */
function configOf({ config, steps, seed }: TrainingPlan): RunConfig {
  const warmupSteps = Math.min(config.optim.warmupSteps, Math.floor(steps / 4));
  return {
    ...config,
    run: { ...config.run, seed },
    optim: { ...config.optim, warmupSteps },
    train: { ...config.train, steps },
  };
}

/** Means over the samples of all bins. */
function meansByBand(matrix: BandMatrix, counts: readonly number[]): number[] {
  return Array.from({ length: matrix[0]?.length ?? 0 }, (_, band) => {
    let sum = 0, count = 0;
    matrix.forEach((row, bin) => {
      const value = row[band];
      if (value === null || value === undefined) return;
      sum += value * counts[bin]!;
      count += counts[bin]!;
    });
    return sum / count;
  });
}
