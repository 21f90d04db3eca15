/**
 * Training steps as programs: one makes the gradients of a batch, or adds those of a micro-batch, and
 * another ends the step. Where several processes train together, their gradients are added in between.
 *
 * @module
 */
import { augmentSettings } from "../data/augmentation/options.ts";
import { type ImageSet, inMemory } from "../data/dataset.ts";
import type { Work } from "../device/dispatch.ts";
import type { Gpu } from "../device/gpu.ts";
import type { MemoryReport } from "../device/plan_memory.ts";
import type { KernelTime } from "../device/profile.ts";
import { type InputValues, Program } from "../device/program.ts";
import type { TensorRef } from "../device/tensor.ts";
import type { TracedDispatch } from "../device/trace.ts";
import type { DiffusionOptions } from "../diffusion/options.ts";
import { LearnedObjective } from "../diffusion/learned_objective.ts";
import { Objective, type TrainingObjective } from "../diffusion/objective.ts";
import type { Process } from "../diffusion/process.ts";
import { resolveTMax } from "../diffusion/t_max.ts";
import { UnrolledObjective } from "../diffusion/unrolled.ts";
import type { Network } from "../model/network.ts";
import { optimizerScalars } from "../optim/adam.ts";
import { learningRate } from "../optim/learning_rate.ts";
import { seedKey } from "../support/philox.ts";
import { type BatchSource, trainingBatches } from "./batch_source.ts";
import { ALONE, type Collective, configOfShare, sumOver } from "./collective.ts";
import type { LatentSpace } from "./latent_space.ts";
import type { Observer } from "./observer.ts";
import type { ImageSize } from "./pictures.ts";
import { powerAverageInputs } from "./power_averages.ts";
import {
  type NetworkAt,
  type RecordedPrograms,
  type RecordedStep,
  recordStep,
} from "./record_step.ts";
import type { RunConfig } from "./run_config.ts";
import { planeOf, plannedProcessOn, processOn } from "./plane_process.ts";
import { SharedStep } from "./shared_step.ts";
import { TrainState } from "./state.ts";

export type { NetworkAt, RecordedStep };

/** Losses kept on the GPU where the log wants none: they are still checked. */
const UNLOGGED_SLOTS = 100;

/** Work of a step: of all its parts and of its end. */
export function stepWork(
  { gradients, ending }: { readonly gradients: Worker; readonly ending: Worker },
  parts: number,
): Work {
  const of = (what: keyof Work) => parts * gradients.work[what] + ending.work[what];
  return { multiplyAdds: of("multiplyAdds"), bytes: of("bytes") };
}

/** How the scale of a loss stands. */
export interface LossScale {
  readonly scale: number;
  /** Steps whose gradients were not finite, of the whole run. */
  readonly skipped: number;
  /** L2 norm of the last other step's gradient. */
  readonly gradNorm: number;
}

type Worker = { readonly work: Work };

/** A network being trained. */
export class Trainer {
  /** Length of the ring of losses. */
  readonly lossSlots: number;
  readonly state: TrainState;
  readonly objective: TrainingObjective;
  /** Where the network knows no images but latents. */
  latent: LatentSpace | null = null;
  /** The options of the process and its objective, with `tMax` as the images have it. */
  readonly diffusion: DiffusionOptions;
  readonly #batches: BatchSource;
  /** One for each size of images that a batch can have; they share their memory. */
  #gradients!: readonly Program[];
  #ending!: Program;
  #gradNorm!: TensorRef;
  /** What is done with other ranks; null alone. */
  #shared: SharedStep | null = null;
  /** Number of each program's first dispatch of observers; all after it are theirs. */
  #observed!: readonly number[];
  #lastStep = 0;

  private constructor(
    readonly gpu: Gpu,
    readonly config: RunConfig,
    readonly network: Network,
    readonly images: ImageSet,
    observers: readonly Observer[],
    readonly process: Process,
    readonly collective: Collective,
    private readonly networkAt?: NetworkAt,
  ) {
    configOfShare(config, collective.size);
    this.lossSlots = config.train.logEvery || UNLOGGED_SLOTS;
    this.diffusion = resolveTMax(config.diffusion, process.schedule, inMemory(images));
    this.objective = makeObjective(gpu, process, this.diffusion, network);
    if (collective.size > 1 && this.objective.state.size > 0) {
      throw new RangeError(
        `Cannot train in ${collective.size} processes: diffusion.timestepSampler must not learn from ` +
          `losses, got "${config.diffusion.timestepSampler.name}"`,
      );
    }
    const observerState = new Map(observers.flatMap(({ state }) => [...state ?? []]));
    this.state = new TrainState(
      gpu,
      network,
      this.lossSlots,
      this.objective.state,
      observerState,
      config.optim.powerEma.widths,
      config.train.precision === "f16",
    );
    const { run: { seed }, data, train: { batchSize, accumulate } } = config;
    const order = {
      ...{ seed, batchSize, parts: accumulate * collective.size, flip: data.flip },
      augment: augmentSettings(data),
    };
    this.#batches = trainingBatches(gpu, images, order, network.conditioning);
  }

  /**
   * Plans the programs; the weights are zeros until they are set through `state`, alike on all ranks.
   *
   * @param process The run's, where it is made already.
   * @param collective Who trains together; this process alone unless given.
   * @param networkAt The network at other sizes, for images in buckets.
   * @throws {RangeError} When the batch can't be cut into equal parts for all micro-batches and ranks.
   */
  static async create(
    gpu: Gpu,
    config: RunConfig,
    network: Network,
    images: ImageSet,
    observers: readonly Observer[] = [],
    process = processOn(config, planeOf(config, images)),
    collective: Collective = ALONE,
    networkAt?: NetworkAt,
  ): Promise<Trainer> {
    const all = [gpu, config, network, images, observers, process, collective, networkAt] as const;
    const trainer = new Trainer(...all);
    await trainer.#plan(observers);
    return trainer;
  }

  /** Writes down what {@linkcode Trainer.create} would plan. */
  static record(
    gpu: Gpu,
    config: RunConfig,
    network: Network,
    images: ImageSet,
    observers: readonly Observer[] = [],
    stages = 1,
  ): RecordedStep {
    const process = plannedProcessOn(config, planeOf(config, images));
    const trainer = new Trainer(gpu, config, network, images, observers, process, ALONE);
    return trainer.#record(observers, stages);
  }

  /** Size of an image. */
  get imageSize(): ImageSize {
    const { height, width, channels } = this.images;
    return { height, width, channels };
  }

  /** Memory of the program that takes a batch, or with `accumulate` a part of one: the largest's. */
  get memory(): MemoryReport {
    const reports = this.#gradients.map(({ memory }) => memory);
    return reports.reduce((a, b) => b.peakBytes > a.peakBytes ? b : a);
  }

  /** Work of a step, of images of the config's size. */
  get work(): Work {
    const parts = { gradients: this.#gradients[this.#mainSize]!, ending: this.#ending };
    return stepWork(parts, this.config.train.accumulate);
  }

  /** The program for a step's images. */
  #programOf(step: number): Program {
    return this.#gradients[this.#batches.sizeAt(step)]!;
  }

  /** Which of the sizes is the config's. */
  get #mainSize(): number {
    const { height, width } = this.images;
    return this.#batches.sizes?.findIndex(([h, w]) => h === height && w === width) ?? 0;
  }

  /** Learning rate of the last step. */
  get learningRate(): number {
    return learningRate(this.config.optim, this.#lastStep, this.config.train.steps);
  }

  /**
   * Submits a step. Alone it returns at once, unless its images are read from the disk; else when all
   * ranks have added their gradients.
   *
   * @param step Completed steps before this one.
   */
  step(step: number): Promise<void> | undefined {
    const ready = this.#ready(step);
    return ready ? ready.then(() => this.#submit(step)) : this.#submit(step);
  }

  /** Waits for the images of this rank's parts of a batch, where they are not at hand. */
  #ready(step: number): Promise<void> | undefined {
    return this.#batches.ready?.(step, this.#parts);
  }

  /** This rank's parts of a batch. */
  get #parts(): number[] {
    const { accumulate } = this.config.train;
    return Array.from({ length: accumulate }, (_, i) => this.collective.rank * accumulate + i);
  }

  #submit(step: number): Promise<void> | undefined {
    this.#lastStep = step;
    const inputs = this.#gradientInputs(step), last = inputs.pop()!;
    const ending = this.#endingInputs(step), program = this.#programOf(step);
    for (const values of inputs) program.run(values);
    if (!this.#shared) {
      program.runWith(last, { program: this.#ending, values: ending });
      return undefined;
    }
    return this.#shared.run(program, this.#batches.sizeAt(step), last)
      .then(() => this.#ending.run(ending));
  }

  /** Runs a step with each dispatch measured. */
  async profileStep(step: number): Promise<KernelTime[]> {
    const parts: KernelTime[] = [];
    await this.#ready(step);
    for (const values of this.#gradientInputs(step)) {
      parts.push(...(await this.#programOf(step).profile(values)).kernels);
    }
    await this.#shared?.add();
    parts.push(...(await this.#ending.profile(this.#endingInputs(step))).kernels);
    return mergeTimes(parts);
  }

  /**
   * A step dispatch by dispatch, without those of observers, which nothing is learnt from; the caller
   * runs each before it asks for the next.
   *
   * @param step Completed steps before this one.
   */
  async *traceStep(step: number): AsyncGenerator<TracedDispatch> {
    await this.#ready(step);
    const observed = this.#observed[this.#batches.sizeAt(step)];
    for (const values of this.#gradientInputs(step)) {
      yield* this.#programOf(step).trace(values).slice(0, observed);
    }
    await this.#shared?.add();
    yield* this.#ending.trace(this.#endingInputs(step));
  }

  /**
   * Losses of the steps from `first` to before `end`, which must still be in the ring. All ranks ask
   * together.
   */
  async readLosses(first: number, end: number): Promise<number[]> {
    if (first >= end) return [];
    // A rank's ring holds its share of each loss.
    const ring = await sumOver(this.collective, await this.gpu.readF32(this.state.losses));
    return Array.from({ length: end - first }, (_, i) => ring[(first + i) % ring.length]!);
  }

  /** L2 norm of the last step's gradient before clipping; of the last one that was not skipped. */
  async readGradNorm(): Promise<number> {
    const scaled = await this.readLossScale();
    return scaled ? scaled.gradNorm : (await this.#ending.readF32(this.#gradNorm))[0]!;
  }

  /** Of a run in f16 its loss scale, the steps that were skipped so far, and the last good norm. */
  async readLossScale(): Promise<LossScale | null> {
    const { lossScale } = this.state;
    if (!lossScale) return null;
    const [scale = 0, , skipped = 0, gradNorm = 0] = await this.gpu.readF32(lossScale);
    return { scale, skipped, gradNorm };
  }

  /** Frees everything. */
  destroy(): void {
    for (const program of this.#gradients) program.destroy();
    this.#ending.destroy();
    this.#batches.destroy();
    this.objective.destroy();
    this.state.destroy();
  }

  async #plan(observers: readonly Observer[]): Promise<void> {
    const { stages, size } = this.collective;
    const { ending, gradNorm, observed, all } = this.#record(observers, stages);
    if (size > 1) {
      const recordings = all.map(({ dispatches }) => dispatches);
      this.#shared = await SharedStep.create(this.gpu, this.collective, this.state, recordings);
    }
    this.#gradients = await Program.createTogether(all);
    this.#ending = await ending.plan();
    this.#gradNorm = gradNorm;
    this.#observed = observed;
  }

  #record(observers: readonly Observer[], stages: number): RecordedPrograms {
    const { gpu, config, network, networkAt, objective, state, collective } = this;
    const parts = { gpu, config, network, networkAt, objective, state, collective };
    const batches = { batches: this.#batches, mainSize: this.#mainSize };
    return recordStep({ ...parts, ...batches, observers, stages });
  }

  /** Inputs of this rank's micro-batches. A sample's random key is its index in the whole batch. */
  #gradientInputs(step: number): InputValues[] {
    const { run: { seed }, train: { batchSize, accumulate } } = this.config;
    const { size: ranks } = this.collective;
    return this.#parts.map((part, i) => {
      return {
        ...this.#batches.inputs(step, part),
        key: [...seedKey(seed), step, part * batchSize / (accumulate * ranks)],
        slot: [step % this.lossSlots, i > 0 ? 1 : 0],
      };
    });
  }

  #endingInputs(step: number): InputValues {
    const { optim, train: { steps, batchSize } } = this.config;
    return {
      optimizer: optimizerScalars(optim, step, steps, batchSize),
      ...powerAverageInputs(this.state.powerAverages, step),
    };
  }
}

/** @throws {RangeError} When the network is a chain and the objective is of single levels, or conversely. */
function makeObjective(
  gpu: Gpu,
  process: Process,
  options: DiffusionOptions,
  { stages, logSnr }: Network,
): TrainingObjective {
  if (logSnr) return new LearnedObjective(gpu, process, options, logSnr);
  const unrolled = options.objective === "unrolled";
  if (unrolled && stages) return new UnrolledObjective(gpu, process, options, stages);
  if (!unrolled && !stages) return new Objective(gpu, process, options);
  throw new RangeError(
    `Cannot train: diffusion.objective must be ${stages ? "unrolled" : "denoising"} for ` +
      `${stages ? "a chain of networks" : "a network of all levels"}, got "${options.objective}"`,
  );
}

/** Times of equal kernels added, longest first. */
function mergeTimes(parts: readonly KernelTime[]): KernelTime[] {
  const merged = new Map<string, KernelTime>();
  for (const { name, dispatches, ms } of parts) {
    const before = merged.get(name) ?? { name, dispatches: 0, ms: 0 };
    merged.set(name, {
      name,
      dispatches: before.dispatches + dispatches,
      ms: before.ms + ms,
    });
  }
  return [...merged.values()].sort((a, b) => b.ms - a.ms);
}
