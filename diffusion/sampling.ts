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
import type { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import type { KernelTime } from "../device/profile.ts";
import { Evaluation, type SamplerParts } from "./evaluation.ts";
import type { InpaintingMove, InpaintingWay } from "./inpainting.ts";
import type { KnownParts } from "./known_parts.ts";
import { colours, type Move, type SamplerStep } from "./moves.ts";
import type { Reconstruction } from "./reconstruction.ts";
import { type Follow, ResolutionMeter } from "./resolution.ts";
import { checkLabels, conditionsOf } from "./sample_inputs.ts";
import { SampledBatch } from "./sampled_batch.ts";
import { recordStart, unguidedParts } from "./sampler_programs.ts";
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
  /** Tells what coloured noise goes by; made when first wanted. */
  #meter: ResolutionMeter | undefined;
  readonly #factors = new WeakMap<readonly Move[], readonly (Float32Array | null)[]>();

  private constructor(
    private readonly gpu: Gpu,
    private readonly parts: SamplerParts,
    private readonly atHand: SampledBatch,
  ) {}

  /** Plans the programs. */
  static async create(gpu: Gpu, parts: SamplerParts): Promise<Sampler> {
    return new Sampler(gpu, parts, await SampledBatch.create(gpu, parts));
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
    return await this.#draw(moves, seeds, watch, (own) => this.atHand.startFromNoise(own));
  }

  /**
   * The noise that the images of these seeds start from, `[seeds.length, h, w, c]`.
   *
   * @throws {RangeError} For seeds that are not from 0 to 2^53 - 1.
   */
  async startNoise(seeds: readonly number[]): Promise<Float32Array<ArrayBuffer>> {
    const { size, length } = this.atHand;
    const result = new Float32Array(seeds.length * length);
    for (let at = 0; at < seeds.length; at += size) {
      const own = seeds.slice(at, at + size);
      this.atHand.startFromNoise(own);
      result.set(await this.atHand.images(own.length), at * length);
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
    return await this.#draw(moves, seeds, watch, (_, at) => this.atHand.startFrom(start, at));
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
    return await this.#draw(moves, seeds, watch, (_, at) => this.atHand.startFrom(images, at), {
      unclipped: true,
    });
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
    const parts = await this.atHand.planKnown(knownNoise);
    return await this.#draw(moves, seeds, watch, (own, at) => {
      this.atHand.startFromNoise(own);
      this.atHand.know(parts, images, known, at);
      // A row of noise that no move draws.
      this.atHand.keep(parts, start, own, moves.length);
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
    await this.atHand.planNoising();
    return await this.#draw(moves, seeds, watch, (own, at) => {
      this.atHand.startFromNoised(images, at, level, own);
    });
  }

  /** Runs a step on the batch at hand with each dispatch measured; the images are of no use then. */
  async profileStep(step: SamplerStep, seed = 0): Promise<KernelTime[]> {
    return await this.atHand.profile(step, seed);
  }

  /** Images computed at once. */
  get batch(): number {
    return this.parts.shape[0];
  }

  /** Frees the programs and the batch; the weights are not the sampler's. */
  destroy(): void {
    this.#meter?.destroy();
    this.parts.decoder?.destroy();
    this.atHand.destroy();
  }

  /** Shape of a batch. */
  get shape(): readonly number[] {
    return this.parts.shape;
  }

  #check(verb: string, images: Float32Array, seeds: readonly number[]): void {
    const count = seeds.length * this.atHand.length;
    if (images.length === count) return;
    throw new RangeError(
      `Cannot ${verb}: ${seeds.length} of them must have ${count} values, got ${images.length}`,
    );
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
    const { atHand } = this, { size } = atHand;
    await atHand.reserve(moves);
    const length = this.parts.decoder?.length ?? atHand.length;
    const result = new Float32Array(seeds.length * length);
    checkLabels(this.parts, seeds, watch);
    const factors = moves.some(colours) ? await this.#coloursOf(moves, watch) : null;
    for (let at = 0; at < seeds.length; at += size) {
      const own = seeds.slice(at, at + size);
      const conditions = conditionsOf(this.parts, own, at, watch);
      begin(own, at);
      atHand.forget();
      for (const [i, move] of moves.entries()) {
        const colour = factors?.[i];
        const known = colour ? { ...conditions, colours: colour } : conditions;
        await atHand.take(move, i, own, known, watch, parts);
        await watch.onStep?.(at / size, i);
        watch.signal?.throwIfAborted();
      }
      result.set(await atHand.decoded(own.length), at * length);
    }
    if (unclipped) return result;
    // A sampler that does not clip its predictions may end outside.
    return result.map((value) => Math.max(-1, Math.min(1, value)));
  }

  /** By what the noise of each move is multiplied; measured once for a list of moves. */
  async #coloursOf(moves: readonly Move[], { signal }: SamplingWatch) {
    const known = this.#factors.get(moves);
    if (known) return known;
    const meter = this.#meter ??= await ResolutionMeter.create(this.gpu, this.shape);
    const follow: Follow = async (seeds, steps, seen) => {
      const conditions = conditionsOf(this.parts, seeds, 0, {});
      this.atHand.startFromNoise(seeds);
      this.atHand.forget();
      for (const [i, step] of steps.entries()) {
        await this.atHand.take(step, i, seeds, conditions);
        await seen(i);
        signal?.throwIfAborted();
      }
    };
    const factors = await meter.colours(moves, this.parts.process, follow, this.atHand);
    this.#factors.set(moves, factors);
    return factors;
  }

  /** @throws {RangeError} Where what is drawn are no images, which given ones would have to become. */
  #refuseImages(verb: string): void {
    if (!this.parts.decoder) return;
    throw new RangeError(`Cannot ${verb}: diffusion must be among pixels, it is among latents`);
  }
}
