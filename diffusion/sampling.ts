/**
 * Sampling: the moves of any sampler, one program for all evaluations and one that adds noise (Ho et
 * al. 2020, algorithm 2; Song et al. 2021).
 *
 * Images are made in batches of one fixed size, the last filled up with unused ones, and each draws
 * its noise from its own seed. An image therefore depends on its seed alone, whatever is drawn beside
 * it.
 *
 * @module
 */
import { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import type { KernelTime } from "../device/profile.ts";
import type { InputValues, Program } from "../device/program.ts";
import { sizeOf, type TensorRef } from "../device/tensor.ts";
import { copyInto } from "../kernels/elementwise/add.ts";
import { Evaluation, type SampledImages, type SamplerParts } from "./evaluation.ts";
import { checkGuidance, checkGuidedMoves, guidesAt } from "./guidance.ts";
import type { InpaintingMove, InpaintingWay, KnownNoise } from "./inpainting.ts";
import { KnownParts, noiseScalars, type NoisingProcess, recordNoising } from "./known_parts.ts";
import type { ProcessOnGpu } from "./level_tables.ts";
import {
  colours,
  corrects,
  isEvaluation,
  keptRegisters,
  type Move,
  type SamplerStep,
  thresholds,
} from "./moves.ts";
import type { Reconstruction } from "./reconstruction.ts";
import { type Follow, ResolutionMeter } from "./resolution.ts";
import type { NoiseLevel } from "./schedule.ts";
import { checkLabels, conditionsOf, keyRows } from "./sample_inputs.ts";
import { planEvaluations, recordStart, unguidedParts } from "./sampler_programs.ts";
import type {
  InpaintingTask,
  SamplingOptions,
  SamplingWatch,
  StepImages,
} from "./sampling_watch.ts";

export type { InpaintingTask, SamplerParts, SamplingOptions, SamplingWatch, StepImages };

/** Images computed at once, unless another number is asked for. */
export const SAMPLE_BATCH = 16;

/** A network ready to be sampled from. */
export class Sampler {
  /** Adds noise to given images; made when first wanted. */
  #noising: Program | undefined;
  /** Adds noise to the images at hand; made when first wanted. */
  #renoising: Program | undefined;
  /** What inpainting needs besides; made when first wanted. */
  #knownParts: KnownParts | undefined;
  /** Tells what coloured noise goes by; made when first wanted. */
  #meter: ResolutionMeter | undefined;
  readonly #factors = new WeakMap<readonly Move[], readonly (Float32Array | null)[]>();

  private constructor(
    private readonly gpu: Gpu,
    private readonly parts: SamplerParts,
    private readonly process: ProcessOnGpu,
    private readonly images: SampledImages,
    private readonly starting: Program,
    /** Replaced by one with more registers when a sampler keeps more images. */
    private evaluation: Evaluation,
    /** Evaluates without guidance, where that acts at some levels alone. */
    private unguided: Evaluation | null,
  ) {}

  /** Plans the programs. */
  static async create(gpu: Gpu, parts: SamplerParts): Promise<Sampler> {
    if (parts.guidance) checkGuidance(parts);
    const process = parts.process.onGpu(gpu);
    const { images, start } = recordStart(gpu, parts, process);
    try {
      const starting = await start.plan();
      const own = { ...parts, onGpu: process };
      const { evaluation, unguided } = await planEvaluations(gpu, own, images);
      return new Sampler(gpu, parts, process, images, starting, evaluation, unguided);
    } catch (error) {
      process.destroy();
      // Whoever tries a smaller batch next needs the memory.
      for (const tensor of [images.x, images.predicted]) gpu.destroyTensor(tensor);
      throw error;
    }
  }

  /** Writes down what {@linkcode Sampler.create} would plan: how a batch starts, and an evaluation. */
  static record(gpu: Gpu, parts: SamplerParts): Capture[] {
    const own = { ...parts, onGpu: parts.process.onGpu(gpu) };
    const { images, start } = recordStart(gpu, parts, own.onGpu);
    const captures = [start, Evaluation.record(gpu, own, images).capture];
    if (!parts.guidance?.interval) return captures;
    return [...captures, Evaluation.record(gpu, unguidedParts(own), images).capture];
  }

  /**
   * Makes an image for each seed.
   *
   * @param moves Of diffusion/samplers/registry.ts. Where they colour noise, what the network resolves is
   *   measured once for a list: give another where its weights have changed.
   * @param seeds From 0 to 2^53 - 1 each.
   * @returns `[seeds.length, h, w, c]`, clipped to [-1, 1].
   * @throws {RangeError} For any other seed.
   */
  async sample(
    moves: readonly Move[],
    seeds: readonly number[],
    watch: SamplingOptions = {},
  ): Promise<Float32Array<ArrayBuffer>> {
    return await this.#draw(moves, seeds, watch, (own) => this.#startFromNoise(own));
  }

  /**
   * The noise that the images of these seeds start from, `[seeds.length, h, w, c]`.
   *
   * @throws {RangeError} For seeds that are not from 0 to 2^53 - 1.
   */
  async startNoise(seeds: readonly number[]): Promise<Float32Array<ArrayBuffer>> {
    const [batch = 1] = this.shape;
    const result = new Float32Array(seeds.length * this.#length);
    for (let at = 0; at < seeds.length; at += batch) {
      const own = seeds.slice(at, at + batch);
      this.#startFromNoise(own);
      result.set(await this.#read(this.images.x, own.length), at * this.#length);
    }
    return result;
  }

  /**
   * Makes images from given noise in place of the seeds' own; what a step draws still comes from the
   * seeds. From {@linkcode startNoise} it gives what {@linkcode sample} gives, bit for bit.
   *
   * @param start `[seeds.length, h, w, c]`.
   * @returns `[seeds.length, h, w, c]`, clipped to [-1, 1].
   * @throws {RangeError} When the number of values is not that of the images.
   */
  async sampleFrom(
    start: Float32Array,
    moves: readonly Move[],
    seeds: readonly number[],
    watch: SamplingOptions = {},
  ): Promise<Float32Array<ArrayBuffer>> {
    this.#check("sample from noises", start, seeds);
    return await this.#draw(moves, seeds, watch, (_, at) => {
      this.gpu.write(this.images.x, this.#batchOf(start, at));
    });
  }

  /**
   * Goes from images to noise, from which {@linkcode sampleFrom} makes them again as far as the solver
   * is exact.
   *
   * @param images `[seeds.length, h, w, c]` in [-1, 1].
   * @param moves Of `inversionMoves` of diffusion/samplers/registry.ts, which draw no noise.
   * @param seeds For networks that know of classes, which they stand for where none are given.
   * @returns Noise of the same shape, which is not clipped.
   * @throws {RangeError} When the number of values is not that of the images.
   */
  async invert(
    images: Float32Array,
    moves: readonly Move[],
    seeds: readonly number[],
    watch: SamplingOptions = {},
  ): Promise<Float32Array<ArrayBuffer>> {
    this.#check("invert images", images, seeds);
    return await this.#draw(moves, seeds, watch, (_, at) => {
      this.gpu.write(this.images.x, this.#batchOf(images, at));
    }, { unclipped: true });
  }

  /**
   * Fills in what is missing of images. Known values come back as they were given, bit for bit, but
   * where the way ends with some of their noise.
   *
   * @param way Of diffusion/inpainting.ts.
   * @param seeds Of the noise, from 0 to 2^53 - 1 each.
   * @returns Images of the shape of the given ones, clipped to [-1, 1].
   * @throws {RangeError} When the number of values is not that of the images.
   */
  async inpaint(
    { images, known }: InpaintingTask,
    { start, moves, knownNoise = "fresh" }: InpaintingWay,
    seeds: readonly number[],
    watch: SamplingOptions = {},
  ): Promise<Float32Array<ArrayBuffer>> {
    this.#refuseImages("inpaint images");
    this.#check("inpaint images", images, seeds);
    this.#check("keep known parts", known, seeds);
    const parts = await this.#partsWith(knownNoise);
    return await this.#draw(moves, seeds, watch, (own, at) => {
      this.#startFromNoise(own);
      parts.set(this.#batchOf(images, at), this.#batchOf(known, at));
      // A row of noise that no move draws.
      this.#keep(parts, start, own, moves.length);
    }, { parts });
  }

  /**
   * Adds noise to images and removes it again: each image's noise comes from its own seed.
   *
   * @param images `[seeds.length, h, w, c]` in [-1, 1].
   * @param level How much noise; of the first step's timestep.
   * @param moves From that timestep on, of diffusion/reconstruction.ts.
   * @param seeds From 0 to 2^53 - 1 each.
   * @returns Images of the same shape, clipped to [-1, 1].
   * @throws {RangeError} When the number of values is not that of the images.
   */
  async reconstruct(
    images: Float32Array,
    level: Reconstruction["level"],
    moves: readonly Move[],
    seeds: readonly number[],
    watch: SamplingOptions = {},
  ): Promise<Float32Array<ArrayBuffer>> {
    this.#refuseImages("reconstruct images");
    this.#check("reconstruct images", images, seeds);
    const noising = this.#noising ??= await this.#planNoising();
    const scalars = noiseScalars(level, level.bands);
    return await this.#draw(moves, seeds, watch, (own, at) => {
      const keys = keyRows(own, this.shape[0] ?? 1, 0);
      noising.run({ x0: this.#batchOf(images, at), keys, scalars });
    });
  }

  /** Runs a step on the batch at hand with each dispatch measured; the images are of no use then. */
  async profileStep(step: SamplerStep, seed = 0): Promise<KernelTime[]> {
    const [samples = 1] = this.shape;
    const conditions = conditionsOf(this.parts, [seed], 0, {});
    await this.evaluation.enter(step.timestep);
    return await this.evaluation.profile(step, keyRows([seed], samples, 0), conditions);
  }

  /** Images computed at once. */
  get batch(): number {
    return this.parts.shape[0];
  }

  /** Frees the programs and the batch; the weights are not the sampler's. */
  destroy(): void {
    this.#noising?.destroy();
    this.#renoising?.destroy();
    this.#knownParts?.destroy();
    this.#meter?.destroy();
    this.starting.destroy();
    this.evaluation.destroy();
    this.unguided?.destroy();
    this.parts.decoder?.destroy();
    this.process.destroy();
    this.gpu.destroyTensor(this.images.x);
    this.gpu.destroyTensor(this.images.predicted);
  }

  /** Shape of a batch. */
  get shape(): readonly number[] {
    return this.parts.shape;
  }

  /** Values an image. */
  get #length(): number {
    return sizeOf(this.shape.slice(1));
  }

  #check(verb: string, images: Float32Array, seeds: readonly number[]): void {
    const count = seeds.length * this.#length;
    if (images.length === count) return;
    throw new RangeError(
      `Cannot ${verb}: ${seeds.length} of them must have ${count} values, got ${images.length}`,
    );
  }

  /** The images of a batch from `first` on, filled up with zeros. */
  #batchOf(images: Float32Array, first: number): Float32Array<ArrayBuffer> {
    const whole = new Float32Array(sizeOf(this.shape));
    const from = first * this.#length;
    whole.set(images.subarray(from, from + whole.length));
    return whole;
  }

  /** x = signal x0 + noise e of given images. */
  async #planNoising(): Promise<Program> {
    const capture = new Capture(this.gpu, "adding noise");
    copyInto(
      capture,
      this.images.x,
      recordNoising(capture, this.#noisingProcess, capture.input("x0", this.shape)),
    );
    return await capture.plan();
  }

  /** x = signal x + noise e. */
  async #planRenoising(): Promise<Program> {
    const capture = new Capture(this.gpu, "noising again");
    copyInto(capture, this.images.x, recordNoising(capture, this.#noisingProcess, this.images.x));
    return await capture.plan();
  }

  /** An evaluation with as many registers as moves want, and with limits if one thresholds. */
  async #reserve(moves: readonly Move[]): Promise<void> {
    if (this.parts.guidance) checkGuidedMoves(this.parts.guidance, moves);
    const { registers, limited, corrected = false, coloured = false } = this.evaluation.space;
    const wanted = {
      registers: Math.max(registers, keptRegisters(moves)),
      limited: limited || moves.some(thresholds),
      corrected: corrected || moves.some(corrects),
      coloured: coloured || moves.some(colours),
    };
    if (
      wanted.registers === registers && wanted.limited === limited &&
      wanted.corrected === corrected && wanted.coloured === coloured
    ) return;
    const parts = { ...this.parts, onGpu: this.process };
    const larger = await planEvaluations(this.gpu, parts, this.images, wanted);
    this.evaluation.destroy();
    this.unguided?.destroy();
    ({ evaluation: this.evaluation, unguided: this.unguided } = larger);
  }

  get #noisingProcess(): NoisingProcess {
    return { onGpu: this.process, drawNoise: this.parts.process.drawNoise };
  }

  #startFromNoise(seeds: readonly number[]): void {
    this.starting.run({ keys: keyRows(seeds, this.shape[0] ?? 1, 0) });
  }

  /**
   * Makes the images of all seeds, batch by batch.
   *
   * @param begin Fills the batch at hand; gets its seeds and the index of the first.
   */
  async #draw(
    moves: readonly (Move | InpaintingMove)[],
    seeds: readonly number[],
    watch: SamplingOptions,
    begin: (seeds: readonly number[], at: number) => void,
    { parts, unclipped = false }: { parts?: KnownParts; unclipped?: boolean } = {},
  ): Promise<Float32Array<ArrayBuffer>> {
    const [batch = 1] = this.shape;
    await this.#reserve(moves);
    const length = this.parts.decoder?.length ?? this.#length;
    const result = new Float32Array(seeds.length * length);
    checkLabels(this.parts, seeds, watch);
    const factors = moves.some(colours) ? await this.#coloursOf(moves, watch) : null;
    for (let at = 0; at < seeds.length; at += batch) {
      const own = seeds.slice(at, at + batch);
      const conditions = conditionsOf(this.parts, own, at, watch);
      begin(own, at);
      this.#forget();
      for (const [i, move] of moves.entries()) {
        const colour = factors?.[i];
        const known = colour ? { ...conditions, colours: colour } : conditions;
        await this.#take(move, i, own, known, watch, parts);
        await watch.onStep?.(at / batch, i);
        watch.signal?.throwIfAborted();
      }
      result.set(await this.#readImages(this.images.x, own.length), at * length);
    }
    if (unclipped) return result;
    // A sampler that does not clip its predictions may end outside.
    return result.map((value) => Math.max(-1, Math.min(1, value)));
  }

  /** Nothing is predicted yet; what an earlier batch left says nothing of this one. */
  #forget(): void {
    if (!this.parts.conditioning?.selfCondition) return;
    this.gpu.write(this.images.predicted, new Float32Array(sizeOf(this.shape)));
  }

  /** By what the noise of each move is multiplied; measured once for a list of moves. */
  async #coloursOf(moves: readonly Move[], { signal }: SamplingWatch) {
    const known = this.#factors.get(moves);
    if (known) return known;
    const meter = this.#meter ??= await ResolutionMeter.create(this.gpu, this.shape);
    const follow: Follow = async (seeds, steps, seen) => {
      const conditions = conditionsOf(this.parts, seeds, 0, {});
      this.#startFromNoise(seeds);
      this.#forget();
      for (const [i, step] of steps.entries()) {
        await this.#take(step, i, seeds, conditions, {}, undefined);
        await seen(i);
        signal?.throwIfAborted();
      }
    };
    const factors = await meter.colours(moves, this.parts.process, follow, {
      predicted: (count) => this.#read(this.images.predicted, count),
      images: (count) => this.#read(this.images.x, count),
    });
    this.#factors.set(moves, factors);
    return factors;
  }

  /** One move, on the batch at hand. */
  async #take(
    move: Move | InpaintingMove,
    i: number,
    seeds: readonly number[],
    conditions: InputValues,
    { wants, onImages }: SamplingWatch,
    parts: KnownParts | undefined,
  ): Promise<void> {
    const [samples = 1] = this.shape, count = seeds.length;
    const keys = keyRows(seeds, samples, i);
    if (!isEvaluation(move)) {
      const renoising = this.#renoising ??= await this.#planRenoising();
      renoising.run({ keys, scalars: noiseScalars(move.renoise, move.bands) });
      await this.gpu.finish();
      return;
    }
    const seen = wants?.(i) ?? false, { x, predicted } = this.images;
    const evaluation = this.#evaluationOf(move);
    await evaluation.enter(move.timestep);
    // Reads are in the queue's order, and awaited together: a wait takes milliseconds in a browser.
    const before = seen ? this.gpu.readF32(x) : null;
    evaluation.run(move, keys, conditions);
    if ("known" in move && parts) this.#keep(parts, move.known, seeds, i);
    if (!before) return await this.gpu.finish();
    const read = await Promise.all([before, this.gpu.readF32(predicted), this.gpu.readF32(x)]);
    const images = [];
    for (const values of read) images.push(await this.#imagesOf(values, count));
    onImages?.(i, { before: images[0]!, predicted: images[1]!, after: images[2]! });
  }

  async #partsWith(noise: KnownNoise): Promise<KnownParts> {
    if (this.#knownParts?.noise !== noise) {
      this.#knownParts?.destroy();
      const { gpu, images } = this;
      this.#knownParts = await KnownParts.create(gpu, this.#noisingProcess, images.x, noise);
    }
    return this.#knownParts!;
  }

  /** Puts known parts back with the noise of a row, or with that of the start. */
  #keep(parts: KnownParts, level: NoiseLevel, seeds: readonly number[], row: number): void {
    parts.keep(level, keyRows(seeds, this.shape[0] ?? 1, parts.noise === "start" ? 0 : row));
  }

  /** What evaluates the network at a step's level. */
  #evaluationOf({ timestep }: SamplerStep): Evaluation {
    const { guidance, process: { schedule } } = this.parts;
    if (!this.unguided || !guidance) return this.evaluation;
    return guidesAt(guidance, schedule.at(timestep)) ? this.evaluation : this.unguided;
  }

  /** The first images of a tensor, decoded where it holds none. */
  async #readImages(tensor: TensorRef, count: number): Promise<Float32Array<ArrayBuffer>> {
    return await this.#imagesOf(await this.gpu.readF32(tensor), count);
  }

  /** The first images among the values of a tensor. */
  async #imagesOf(values: Float32Array<ArrayBuffer>, count: number) {
    const { decoder } = this.parts;
    if (!decoder) return values.slice(0, count * this.#length);
    return (await decoder.decode(values)).subarray(0, count * decoder.length);
  }

  /** @throws {RangeError} Where what is drawn are no images, which given ones would have to become. */
  #refuseImages(verb: string): void {
    if (!this.parts.decoder) return;
    throw new RangeError(`Cannot ${verb}: diffusion must be among pixels, it is among latents`);
  }

  /** The first values of a tensor. */
  async #read(tensor: TensorRef, count: number): Promise<Float32Array<ArrayBuffer>> {
    return (await this.gpu.readF32(tensor)).slice(0, count * this.#length);
  }
}
