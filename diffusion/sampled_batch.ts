/**
 * The batch that a sampler has at hand: its images, and every program that acts on them. What moves do
 * to it is in the queue's order; places past the images that are wanted hold values of no use.
 *
 * @module
 */
import { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import type { KernelTime } from "../device/profile.ts";
import type { InputValues, Program } from "../device/program.ts";
import { sizeOf, type TensorRef } from "../device/tensor.ts";
import { copyInto } from "../kernels/elementwise/add.ts";
import type { Evaluation, SampledImages, SamplerParts } from "./evaluation.ts";
import { checkGuidance, checkGuidedMoves, guidesAt } from "./guidance.ts";
import type { InpaintingMove, KnownNoise } from "./inpainting.ts";
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
import type { ImageReader } from "./resolution.ts";
import { conditionsOf, keyRows } from "./sample_inputs.ts";
import { planEvaluations, recordStart } from "./sampler_programs.ts";
import type { SamplingWatch } from "./sampling_watch.ts";
import type { NoiseLevel } from "./schedule.ts";

/** See the module. */
export class SampledBatch implements ImageReader {
  /** Adds noise to given images; made when first wanted. */
  #noising: Program | undefined;
  /** Adds noise to the images at hand; made when first wanted. */
  #renoising: Program | undefined;
  /** What inpainting needs besides; made when first wanted. */
  #knownParts: KnownParts | undefined;

  private constructor(
    private readonly gpu: Gpu,
    private readonly parts: SamplerParts,
    private readonly process: ProcessOnGpu,
    private readonly tensors: SampledImages,
    private readonly starting: Program,
    /** Replaced by one with more registers when a sampler keeps more images. */
    private evaluation: Evaluation,
    /** Evaluates without guidance, where that acts at some levels alone. */
    private unguided: Evaluation | null,
  ) {}

  /** Plans the programs that every sampler needs. */
  static async create(gpu: Gpu, parts: SamplerParts): Promise<SampledBatch> {
    if (parts.guidance) checkGuidance(parts);
    const process = parts.process.onGpu(gpu);
    const { images, start } = recordStart(gpu, parts, process);
    try {
      const starting = await start.plan();
      const own = { ...parts, onGpu: process };
      const { evaluation, unguided } = await planEvaluations(gpu, own, images);
      return new SampledBatch(gpu, parts, process, images, starting, evaluation, unguided);
    } catch (error) {
      process.destroy();
      // Whoever tries a smaller batch next needs the memory.
      for (const tensor of [images.x, images.predicted]) gpu.destroyTensor(tensor);
      throw error;
    }
  }

  /** Images. */
  get size(): number {
    return this.parts.shape[0];
  }

  /** Values an image. */
  get length(): number {
    return sizeOf(this.parts.shape.slice(1));
  }

  /** Makes room for all that moves want: registers, limits, a correction, colours. */
  async reserve(moves: readonly Move[]): Promise<void> {
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
    const larger = await planEvaluations(this.gpu, parts, this.tensors, wanted);
    this.evaluation.destroy();
    this.unguided?.destroy();
    ({ evaluation: this.evaluation, unguided: this.unguided } = larger);
  }

  /** The noise that seeds start from. */
  startFromNoise(seeds: readonly number[]): void {
    this.starting.run({ keys: keyRows(seeds, this.size, 0) });
  }

  /** Images as they are, from number `first` on. */
  startFrom(images: Float32Array, first: number): void {
    this.gpu.write(this.tensors.x, this.#valuesOf(images, first));
  }

  /** Images from number `first` on with noise of their own seeds, after {@linkcode planNoising}. */
  startFromNoised(
    images: Float32Array,
    first: number,
    level: Reconstruction["level"],
    seeds: readonly number[],
  ): void {
    this.#noising!.run({
      x0: this.#valuesOf(images, first),
      keys: keyRows(seeds, this.size, 0),
      scalars: noiseScalars(level, level.bands),
    });
  }

  /** Plans x = signal x0 + noise e of given images. */
  async planNoising(): Promise<void> {
    this.#noising ??= await this.#plan(
      "adding noise",
      (capture) =>
        recordNoising(capture, this.#noisingProcess, capture.input("x0", this.parts.shape)),
    );
  }

  /** Nothing is predicted yet; what an earlier batch left says nothing of this one. */
  forget(): void {
    if (!this.parts.conditioning?.selfCondition) return;
    this.gpu.write(this.tensors.predicted, new Float32Array(sizeOf(this.parts.shape)));
  }

  /**
   * Takes one move.
   *
   * @param i Its number, which tells what it draws.
   * @param known Known parts that it puts back, of {@linkcode planKnown}.
   */
  async take(
    move: Move | InpaintingMove,
    i: number,
    seeds: readonly number[],
    conditions: InputValues,
    { wants, onImages }: SamplingWatch = {},
    known?: KnownParts,
  ): Promise<void> {
    const keys = keyRows(seeds, this.size, i);
    if (!isEvaluation(move)) {
      const renoising = this.#renoising ??= await this.#plan(
        "noising again",
        (capture) => recordNoising(capture, this.#noisingProcess, this.tensors.x),
      );
      renoising.run({ keys, scalars: noiseScalars(move.renoise, move.bands) });
      await this.gpu.finish();
      return;
    }
    const seen = wants?.(i) ?? false, { x, predicted } = this.tensors;
    const evaluation = this.#evaluationOf(move);
    await evaluation.enter(move.timestep);
    // Reads are in the queue's order, and awaited together: a wait takes milliseconds in a browser.
    const before = seen ? this.gpu.readF32(x) : null;
    evaluation.run(move, keys, conditions);
    if ("known" in move && known) this.keep(known, move.known, seeds, i);
    if (!before) return await this.gpu.finish();
    const read = await Promise.all([before, this.gpu.readF32(predicted), this.gpu.readF32(x)]);
    const images = [];
    for (const values of read) images.push(await this.#decoded(values, seeds.length));
    onImages?.(i, { before: images[0]!, predicted: images[1]!, after: images[2]! });
  }

  /** Plans how known parts are put back. */
  async planKnown(noise: KnownNoise): Promise<KnownParts> {
    if (this.#knownParts?.noise !== noise) {
      this.#knownParts?.destroy();
      const { gpu, tensors } = this;
      this.#knownParts = await KnownParts.create(gpu, this.#noisingProcess, tensors.x, noise);
    }
    return this.#knownParts!;
  }

  /** Tells which parts are known of which images, from number `first` on. */
  know(parts: KnownParts, images: Float32Array, known: Float32Array, first: number): void {
    parts.set(this.#valuesOf(images, first), this.#valuesOf(known, first));
  }

  /** Puts known parts back with the noise of a row, or with that of the start. */
  keep(parts: KnownParts, level: NoiseLevel, seeds: readonly number[], row: number): void {
    parts.keep(level, keyRows(seeds, this.size, parts.noise === "start" ? 0 : row));
  }

  /** Runs a step with each dispatch measured; the images are of no use then. */
  async profile(step: SamplerStep, seed: number): Promise<KernelTime[]> {
    const conditions = conditionsOf(this.parts, [seed], 0, {});
    await this.evaluation.enter(step.timestep);
    return await this.evaluation.profile(step, keyRows([seed], this.size, 0), conditions);
  }

  /** Values of the first `count`, not decoded. */
  async images(count: number): Promise<Float32Array<ArrayBuffer>> {
    return await this.#read(this.tensors.x, count);
  }

  /** What was predicted last of the first `count`, not decoded. */
  async predicted(count: number): Promise<Float32Array<ArrayBuffer>> {
    return await this.#read(this.tensors.predicted, count);
  }

  /** The first `count`, decoded where they are none. */
  async decoded(count: number): Promise<Float32Array<ArrayBuffer>> {
    return await this.#decoded(await this.gpu.readF32(this.tensors.x), count);
  }

  /** Frees the programs and the images; the weights are not the batch's. */
  destroy(): void {
    this.#noising?.destroy();
    this.#renoising?.destroy();
    this.#knownParts?.destroy();
    this.starting.destroy();
    this.evaluation.destroy();
    this.unguided?.destroy();
    this.process.destroy();
    this.gpu.destroyTensor(this.tensors.x);
    this.gpu.destroyTensor(this.tensors.predicted);
  }

  /** What evaluates the network at a step's level. */
  #evaluationOf({ timestep }: SamplerStep): Evaluation {
    const { guidance, process: { schedule } } = this.parts;
    if (!this.unguided || !guidance) return this.evaluation;
    return guidesAt(guidance, schedule.at(timestep)) ? this.evaluation : this.unguided;
  }

  /** A program that leaves its result in the images at hand. */
  async #plan(name: string, record: (capture: Capture) => TensorRef): Promise<Program> {
    const capture = new Capture(this.gpu, name);
    copyInto(capture, this.tensors.x, record(capture));
    return await capture.plan();
  }

  get #noisingProcess(): NoisingProcess {
    return { onGpu: this.process, drawNoise: this.parts.process.drawNoise };
  }

  /** A batch of images from number `first` on, filled up with zeros. */
  #valuesOf(images: Float32Array, first: number): Float32Array<ArrayBuffer> {
    const whole = new Float32Array(sizeOf(this.parts.shape));
    const from = first * this.length;
    whole.set(images.subarray(from, from + whole.length));
    return whole;
  }

  async #read(tensor: TensorRef, count: number): Promise<Float32Array<ArrayBuffer>> {
    return (await this.gpu.readF32(tensor)).slice(0, count * this.length);
  }

  async #decoded(values: Float32Array<ArrayBuffer>, count: number) {
    const { decoder } = this.parts;
    if (!decoder) return values.slice(0, count * this.length);
    return (await decoder.decode(values)).subarray(0, count * decoder.length);
  }
}
