/**
 * Training steps as programs. Without accumulation a step is one program; with it, one program adds
 * the gradients of a micro-batch, and another ends the step and clears them.
 *
 * @module
 */
import { Graph } from "../autograd/graph.ts";
import type { ImageSet } from "../data/dataset.ts";
import { Capture } from "../device/capture.ts";
import type { Work } from "../device/dispatch.ts";
import type { Gpu } from "../device/gpu.ts";
import type { MemoryReport } from "../device/plan_memory.ts";
import type { KernelTime } from "../device/profile.ts";
import type { InputValues, Program } from "../device/program.ts";
import type { TensorRef } from "../device/tensor.ts";
import type { TracedDispatch } from "../device/trace.ts";
import { denoiserOf } from "../diffusion/denoiser.ts";
import type { DiffusionOptions } from "../diffusion/options.ts";
import { Objective } from "../diffusion/objective.ts";
import { makeProcess, type Process } from "../diffusion/process.ts";
import { resolveTMax } from "../diffusion/t_max.ts";
import { fillZero } from "../kernels/layout/fill.ts";
import { addToRing } from "../kernels/reduce/loss_ring.ts";
import type { Network } from "../model/network.ts";
import { parameterSlots } from "../model/parameters.ts";
import { OPTIMIZER_SCALARS_SHAPE, optimizerScalars, recordOptimizer } from "../optim/adam.ts";
import { learningRate } from "../optim/learning_rate.ts";
import { seedKey } from "../support/philox.ts";
import { type BatchSource, trainingBatches } from "./batch_source.ts";
import type { Observer } from "./observer.ts";
import type { ImageSize } from "./pictures.ts";
import type { RunConfig } from "./run_config.ts";
import { TrainState } from "./state.ts";

/** Losses kept on the GPU where the log wants none: they are still checked. */
const UNLOGGED_SLOTS = 100;

/** What the programs of a step are made from. */
export interface RecordedStep {
  /** Of the batch, or of one of its parts; without accumulation the optimiser's too. */
  readonly gradients: Capture;
  /** Of the step's end; with accumulation only. */
  readonly ending: Capture | null;
  readonly state: TrainState;
}

/** Work of a step: of all its parts and of its end. */
export function stepWork(
  { gradients, ending }: { readonly gradients: Worker; readonly ending: Worker | null },
  parts: number,
): Work {
  const of = (what: keyof Work) => parts * gradients.work[what] + (ending?.work[what] ?? 0);
  return { multiplyAdds: of("multiplyAdds"), bytes: of("bytes") };
}

type Worker = { readonly work: Work };

/** A network being trained. */
export class Trainer {
  /** Length of the ring of losses. */
  readonly lossSlots: number;
  readonly state: TrainState;
  readonly objective: Objective;
  /** The options of the process and its objective, with `tMax` as the images have it. */
  readonly diffusion: DiffusionOptions;
  readonly #batches: BatchSource;
  #gradients!: Program;
  /** Ends a step with accumulation; without it the same program does both. */
  #optimizer: Program | undefined;
  #gradNorm!: TensorRef;
  #lastStep = 0;

  private constructor(
    readonly gpu: Gpu,
    readonly config: RunConfig,
    readonly network: Network,
    readonly images: ImageSet,
    observers: readonly Observer[],
    readonly process: Process,
  ) {
    this.lossSlots = config.train.logEvery || UNLOGGED_SLOTS;
    this.diffusion = resolveTMax(config.diffusion, process.schedule, images);
    this.objective = new Objective(gpu, process, this.diffusion);
    const gathered = new Map(observers.flatMap(({ state }) => [...state ?? []]));
    this.state = new TrainState(gpu, network, this.lossSlots, this.objective.state, gathered);
    const { run: { seed }, data: { flip }, train: { batchSize, accumulate } } = config;
    const order = { seed, batchSize, accumulate, flip };
    this.#batches = trainingBatches(gpu, images, order, network.conditioning);
  }

  /**
   * Plans the programs; the weights are zeros until they are set through `state`.
   *
   * @param process The run's, where it is made already.
   */
  static async create(
    gpu: Gpu,
    config: RunConfig,
    network: Network,
    images: ImageSet,
    observers: readonly Observer[] = [],
    process = makeProcess(config.diffusion),
  ): Promise<Trainer> {
    const trainer = new Trainer(gpu, config, network, images, observers, process);
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
  ): RecordedStep {
    const process = makeProcess(config.diffusion);
    return new Trainer(gpu, config, network, images, observers, process).#record(observers);
  }

  /** Size of an image. */
  get imageSize(): ImageSize {
    const { height, width, channels } = this.images;
    return { height, width, channels };
  }

  /** Memory of the program that takes a batch, or with `accumulate` a part of one. */
  get memory(): MemoryReport {
    return this.#gradients.memory;
  }

  /** Work of a step. */
  get work(): Work {
    const parts = { gradients: this.#gradients, ending: this.#optimizer ?? null };
    return stepWork(parts, this.config.train.accumulate);
  }

  /** Learning rate of the last step. */
  get learningRate(): number {
    return learningRate(this.config.optim, this.#lastStep, this.config.train.steps);
  }

  /**
   * Submits a step and returns at once.
   *
   * @param step Completed steps before this one.
   */
  step(step: number): void {
    this.#lastStep = step;
    for (const values of this.#gradientInputs(step)) this.#gradients.run(values);
    this.#optimizer?.run({ optimizer: this.#optimizerInput(step) });
  }

  /** Runs a step with each dispatch measured. */
  async profileStep(step: number): Promise<KernelTime[]> {
    const parts: KernelTime[] = [];
    for (const values of this.#gradientInputs(step)) {
      parts.push(...(await this.#gradients.profile(values)).kernels);
    }
    const optimizer = await this.#optimizer?.profile({ optimizer: this.#optimizerInput(step) });
    return mergeTimes([...parts, ...(optimizer?.kernels ?? [])]);
  }

  /**
   * A step dispatch by dispatch; the caller runs each before it asks for the next.
   *
   * @param step Completed steps before this one.
   */
  *traceStep(step: number): Generator<TracedDispatch> {
    for (const values of this.#gradientInputs(step)) yield* this.#gradients.trace(values);
    if (this.#optimizer) yield* this.#optimizer.trace({ optimizer: this.#optimizerInput(step) });
  }

  /** Losses of the steps from `first` to before `end`, which must still be in the ring. */
  async readLosses(first: number, end: number): Promise<number[]> {
    if (first >= end) return [];
    const ring = await this.gpu.readF32(this.state.losses);
    return Array.from({ length: end - first }, (_, i) => ring[(first + i) % ring.length]!);
  }

  /** L2 norm of the last step's gradient before clipping. */
  async readGradNorm(): Promise<number> {
    const program = this.#optimizer ?? this.#gradients;
    return (await program.readF32(this.#gradNorm))[0]!;
  }

  /** Frees everything. */
  destroy(): void {
    this.#gradients.destroy();
    this.#optimizer?.destroy();
    this.#batches.destroy();
    this.objective.destroy();
    this.state.destroy();
  }

  async #plan(observers: readonly Observer[]): Promise<void> {
    const { gradients, ending } = this.#record(observers);
    this.#gradients = await gradients.plan();
    this.#optimizer = await ending?.plan();
  }

  #record(observers: readonly Observer[]): RecordedStep {
    const accumulated = this.config.train.accumulate > 1;
    const name = accumulated ? "training micro-batch" : "training step";
    const gradients = new Capture(this.gpu, name);
    this.#recordGradients(gradients, observers);
    const ending = accumulated ? new Capture(this.gpu, "optimiser step") : null;
    this.#gradNorm = this.#recordOptimizer(ending ?? gradients);
    if (ending) { for (const chunk of this.state.grads.chunks) fillZero(ending, chunk); }
    return { gradients, ending, state: this.state };
  }

  #recordGradients(capture: Capture, observers: readonly Observer[]): void {
    const { network, state } = this;
    const { accumulate } = this.config.train;
    const graph = new Graph(capture, {
      parameters: parameterSlots(network, state.weights, state.grads),
      training: true,
      accumulate: accumulate > 1,
      recompute: this.config.train.recompute,
      random: capture.input("key", [4], "u32"),
    });
    const batch = this.#batches.record(capture);
    const slot = capture.input("slot", [2], "u32");
    const tensors = this.objective.record(graph, { ...batch, denoise: denoiserOf(network) });
    addToRing(capture, state.losses, slot, tensors.loss.ref, 1 / accumulate);
    // The step's loss is the mean over its micro-batches, and so is its gradient.
    graph.backward(tensors.loss, state.lossSeed(1 / accumulate));
    for (const observer of observers) observer.capture?.({ graph, ...batch, ...tensors });
  }

  #recordOptimizer(capture: Capture): TensorRef {
    const { weights, grads, firstMoments, secondMoments, ema } = this.state;
    const { norm } = recordOptimizer(capture, {
      params: weights,
      grads,
      m: firstMoments,
      v: secondMoments,
      ema,
      options: this.config.optim,
      scalars: capture.input("optimizer", OPTIMIZER_SCALARS_SHAPE),
    });
    return capture.keep(norm);
  }

  *#gradientInputs(step: number): Generator<InputValues> {
    const { run: { seed }, train: { batchSize, accumulate } } = this.config;
    for (let i = 0; i < accumulate; i++) {
      yield {
        ...this.#batches.inputs(step, i),
        key: [...seedKey(seed), step, i * batchSize / accumulate],
        slot: [step % this.lossSlots, i > 0 ? 1 : 0],
        ...(accumulate > 1 ? {} : { optimizer: this.#optimizerInput(step) }),
      };
    }
  }

  #optimizerInput(step: number): Float32Array {
    return optimizerScalars(this.config.optim, step, this.config.train.steps);
  }
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
