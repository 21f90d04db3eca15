/**
 * A run in a program: a network that is trained, sampled from, saved and loaded.
 *
 * @module
 */
import { dirname } from "node:path";
import { stepInstruments } from "../commands/shared/instruments.ts";
import { type LoadedSampler, loadSampler } from "../commands/shared/load_sampler.ts";
import { checkpointConfig } from "../config/load.ts";
import type { Config } from "../config/schema.ts";
import type { ImageSet } from "../data/dataset.ts";
import { imageShape } from "../data/options.ts";
import type { Arena } from "../device/arena.ts";
import type { Gpu } from "../device/gpu.ts";
import { countParameters } from "../model/module.ts";
import type { Network } from "../model/network.ts";
import { atomicWrite, ensureFolder } from "../support/files.ts";
import { type Checkpoint, writeCheckpoint } from "../training/checkpoint.ts";
import { withRemedy } from "../training/fit.ts";
import { LatentSpace } from "../training/latent_space.ts";
import type { Observer } from "../training/observer.ts";
import { checkPrecision } from "../training/precision.ts";
import { type Origin, takeOver, type WeightSource } from "../training/origin.ts";
import { ALONE } from "../training/collective.ts";
import { networkAt } from "../training/network_of.ts";
import { type LearnedSource, withLearned } from "../training/learned_schedule.ts";
import { checkBatch, networkOf } from "../training/run.ts";
import { processOf } from "../training/run_process.ts";
import { checkImages, imageNotes, notedClasses } from "../training/same_images.ts";
import { fittingSampler, imagesAtOnce } from "../training/sample_batch.ts";
import { EMA_PREFIX, WEIGHTS_PREFIX } from "../training/state.ts";
import { Trainer } from "../training/trainer.ts";
import { trainingImages } from "./datasets.ts";
import { draw, type Drawing, type DrawOptions, planDrawing, type SamplingStep } from "./draw.ts";
import { handOver } from "./hand_over.ts";
import type { Images } from "./pictures.ts";
import { type TrainingStep, type TrainOptions, trainSteps } from "./train.ts";

/** What a run is made of; create_run.ts makes one. */
interface Parts {
  readonly gpu: Gpu;
  readonly config: Config;
  readonly say: (line: string) => void;
  /** What it goes on from. */
  readonly checkpoint?: Checkpoint;
}

/** What a run has once it trains. */
interface Training {
  readonly trainer: Trainer;
  readonly observers: readonly Observer[];
}

/** A sampler, and what it was made for. */
type KeptSampler = LoadedSampler & { readonly key: string };

/** A network, and all that its training changes. */
export class Run implements Disposable {
  /** The GPU that it works on. */
  readonly gpu: Gpu;
  /** All its settings, defaults filled in. */
  readonly config: Config;
  /** The network, without weights. */
  readonly network: Network;
  readonly #say: (line: string) => void;
  readonly #checkpoint: Checkpoint | undefined;
  #step: number;
  #training: Training | undefined;
  #sampler: KeptSampler | undefined;
  /** What is under way, as in "trained". */
  readonly #busy = new Set<string>();

  /** @internal */
  constructor({ gpu, config, say, checkpoint }: Parts) {
    this.gpu = gpu;
    this.config = config;
    this.network = networkOf(config);
    this.#say = say;
    this.#checkpoint = checkpoint;
    this.#step = checkpoint?.step ?? 0;
  }

  /** Completed optimiser steps. */
  get step(): number {
    return this.#step;
  }

  /** Values that are learnt. */
  get parameters(): number {
    return countParameters(this.network);
  }

  /** What the classes are called that its network may be asked for; undefined where nobody knows. */
  get classNames(): readonly string[] | undefined {
    return this.#training?.trainer.images.classNames ??
      (this.#checkpoint && notedClasses(this.#checkpoint));
  }

  /**
   * Trains, step by step: each is taken when it is asked for, and the run may be sampled or saved in
   * between. Leaving the iteration ends training; another one goes on.
   *
   * @throws {RangeError} When the run has not so many steps left.
   * @throws {NonFiniteError} When a loss or a gradient is not finite.
   */
  async *trainSteps(options: TrainOptions = {}): AsyncGenerator<TrainingStep, void> {
    const { trainer, observers } = await this.#beginTraining();
    const release = this.#occupy("trained");
    try {
      yield* trainSteps(trainer, observers, this.#step, options, (step) => this.#step = step);
    } finally {
      release();
    }
  }

  /**
   * Trains.
   *
   * @param options Also who is told of the steps that are shown.
   * @returns The last step.
   */
  async train(
    { onStep, ...options }: TrainOptions & {
      readonly onStep?: (step: TrainingStep) => void | Promise<void>;
    } = {},
  ): Promise<TrainingStep | undefined> {
    let last: TrainingStep | undefined;
    const every = options.every ?? (onStep ? 1 : Number.MAX_SAFE_INTEGER);
    for await (last of this.trainSteps({ ...options, every })) await onStep?.(last);
    return last;
  }

  /**
   * Draws images, and shows how they come about, as many at once as `batch` says. Image i depends on the
   * weights and its seed alone: it is the same whatever is drawn beside it.
   *
   * @returns All images.
   * @throws {UsageError | RangeError} For options out of their range.
   */
  async *sampleSteps(options: DrawOptions = {}): AsyncGenerator<SamplingStep, Images> {
    return yield* handOver((give, left) => {
      const signal = options.signal ? AbortSignal.any([left, options.signal]) : left;
      return this.#draw({ ...options, signal }, give);
    });
  }

  /** Draws images, as {@linkcode sampleSteps}; `onStep` is told of the steps that are shown. */
  async sample(
    { onStep, ...options }: DrawOptions & {
      readonly onStep?: (step: SamplingStep) => void | Promise<void>;
    } = {},
  ): Promise<Images> {
    return await this.#draw(options, onStep);
  }

  /**
   * Writes a checkpoint: all that `loadRun` and `deno task sample` need, and what going on
   * with training needs. Equal runs give equal files.
   *
   * @throws {Error} One line, when it can't be written.
   */
  async save(path: string): Promise<void> {
    await ensureFolder(dirname(path));
    if (this.#training) {
      const { state, images } = this.#training.trainer;
      const notes = imageNotes(images, this.network);
      const facts = { step: this.#step, config: checkpointConfig(this.config), notes };
      await writeCheckpoint(path, facts, state.checkpointTensors(this.#step));
    } else if (this.#checkpoint) {
      await atomicWrite(path, (await Deno.open(this.#checkpoint.path)).readable);
    }
  }

  /** Frees its memory. */
  destroy(): void {
    this.#dropSampler();
    if (!this.#training) return;
    const { trainer, observers } = this.#training;
    trainer.latent?.destroy();
    trainer.destroy();
    for (const observer of observers) observer.destroy?.();
    this.#training = undefined;
  }

  /** Frees its memory at the end of a block that declares the run by `using`. */
  [Symbol.dispose](): void {
    this.destroy();
  }

  /** @internal What another run may begin with. */
  weightSource(): WeightSource {
    if (!this.#training) return this.#checkpoint!;
    const { state: { ema, weights } } = this.#training.trainer;
    const all = [[EMA_PREFIX, ema], [WEIGHTS_PREFIX, weights]] as [string, Arena][];
    const tensors = new Map(
      all.flatMap(([prefix, arena]) =>
        [...arena.tensors].map(([name, tensor]) => [`${prefix}${name}`, tensor] as const)
      ),
    );
    return {
      ...{
        path: "the given run",
        step: this.#step,
        config: checkpointConfig(this.config),
        tensors,
      },
      read: (name) => this.gpu.readF32(tensors.get(name)!),
    };
  }

  /** @internal Plans its steps; the weights are fresh, an origin's, or those of its checkpoint. */
  async startTraining(set: ImageSet, origin?: Origin): Promise<Training> {
    const { gpu, config, network } = this, say = this.#say;
    checkHalf(gpu, config);
    checkBatch(set, config.train);
    const taken = origin && takeOver(origin, network);
    const process = processOf(config);
    const latent = await LatentSpace.open(gpu, config.model.latent, set);
    const images = await latent?.encode(set, { mirrored: config.data.flip, say }) ?? set;
    const observers = stepInstruments(gpu, config, { process, say });
    const trainer = await withRemedy(
      { gpu, config, network },
      () =>
        Trainer.create(
          ...[gpu, config, network, images, observers, process, ALONE] as const,
          (size) => networkAt(config, size),
        ),
    );
    trainer.latent = latent;
    if (this.#checkpoint) {
      checkImages(this.#checkpoint, images, config.data, say);
      await trainer.state.load(this.#checkpoint);
    } else if (origin && taken) {
      await trainer.state.initializeFrom(origin, taken, config.run.seed);
    } else trainer.state.initialize(config.run.seed);
    // What it held are the weights of a file.
    this.#dropSampler();
    return this.#training = { trainer, observers };
  }

  async #beginTraining(): Promise<Training> {
    if (this.#training) return this.#training;
    return await this.startTraining(await trainingImages(this.config, this.#say));
  }

  async #draw(
    options: DrawOptions,
    look?: (step: SamplingStep) => void | Promise<void>,
  ): Promise<Images> {
    const release = this.#occupy("sampled");
    try {
      const classes = {
        count: this.network.conditioning?.labels ?? 0,
        names: this.classNames,
      };
      const config = await withLearned(this.config, this.#learned(options.weights));
      const drawing = planDrawing(config, options, classes);
      const sampler = await this.#samplerFor(drawing);
      return await this.gpu.health.guard(() => draw(sampler, this.config, drawing, look));
    } finally {
      release();
    }
  }

  /** Where the parameters of a learned schedule are. */
  #learned(weights: DrawOptions["weights"] = "ema"): LearnedSource {
    if (!this.#training) return { checkpoint: this.#checkpoint!, weights };
    const { state } = this.#training.trainer;
    return { gpu: this.gpu, arena: weights === "ema" ? state.ema : state.weights };
  }

  /** The sampler at hand where it is of that kind, else one that replaces it. */
  async #samplerFor({ needs, seeds }: Drawing): Promise<KeptSampler> {
    const { gpu, config, network } = this, { guidance, weights, batch, process } = needs;
    const size = imageShape(config.data);
    const most = imagesAtOnce(size, seeds.length, batch);
    const key = `${needs.key} ${most}`;
    if (this.#sampler?.key === key) return this.#sampler;
    this.#dropSampler();
    if (this.#training) {
      const { state, latent } = this.#training.trainer;
      const subject = { gpu, network, process, size, guidance, latent };
      const arena = weights === "ema" ? state.ema : state.weights;
      const sampler = await fittingSampler(subject, arena, {
        verb: "draw images",
        remedy: "a smaller network, by a smaller model.channels, takes less",
      }, { most });
      return this.#sampler = { key, sampler, destroy: () => sampler.destroy() };
    }
    const found = { config, checkpoint: this.#checkpoint!, process };
    const guided = guidance && { guidance };
    const loaded = await loadSampler(gpu, found, { weights, batch }, seeds.length, guided);
    return this.#sampler = { key, ...loaded };
  }

  #dropSampler(): void {
    this.#sampler?.destroy();
    this.#sampler = undefined;
  }

  /** Refuses what can't be done twice at once. */
  #occupy(what: string): () => void {
    if (this.#busy.has(what)) {
      throw new Error(`Cannot begin: the run is being ${what} already, finish that first`);
    }
    this.#busy.add(what);
    return () => this.#busy.delete(what);
  }
}

/** @throws {RangeError} When steps are to be in f16 and the adapter has no such type. */
export function checkHalf(gpu: Gpu, { train: { precision } }: Config): void {
  checkPrecision(gpu, precision, 'train: { precision: "f32" }');
}
