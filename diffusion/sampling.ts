/**
 * Sampling: the network and one fused update, captured once and replayed for every step of any
 * sampler (Ho et al. 2020, algorithm 2; Song et al. 2021).
 *
 * Images are made in batches of one fixed size, the last filled up with unused ones, and each draws
 * its noise from its own seed. An image therefore depends on its seed alone, whatever is drawn beside
 * it.
 *
 * @module
 */
import { Graph, type ParameterSlot } from "../autograd/graph.ts";
import type { Parameter } from "../autograd/parameter.ts";
import { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import type { Program } from "../device/program.ts";
import { sizeOf, type TensorRef } from "../device/tensor.ts";
import { copyInto } from "../kernels/add.ts";
import { randomNormal } from "../kernels/random.ts";
import { SAMPLER_SCALARS, samplerScalars, samplerStep } from "../kernels/sampler_step.ts";
import { seedKey } from "../support/philox.ts";
import { type Denoiser, STREAMS } from "./denoiser.ts";
import type { SamplerStep } from "./sampler_step.ts";

/** Images computed at once, unless another number is asked for. */
export const SAMPLE_BATCH = 16;

/** What a {@linkcode Sampler} is made of. */
export interface SamplerParts {
  /** Shape of a batch, `[n, h, w, c]`. */
  readonly shape: readonly [number, number, number, number];
  /** The network's weights. */
  readonly parameters: ReadonlyMap<Parameter, ParameterSlot>;
  readonly denoise: Denoiser;
}

/** Who looks while images are made. Steps count from 0. */
export interface SamplingWatch {
  /** After each step of each batch. */
  onStep?(batch: number, step: number): void | Promise<void>;
  /** Whether {@linkcode onImages} wants the images after a step. */
  wants?(step: number): boolean;
  /** The images of a batch after a step, without the unused ones, `[n, h, w, c]`. */
  onImages?(step: number, images: Float32Array): void;
}

/** Shares of image and noise where a sample starts from an image: x_t = signal x_0 + noise e. */
export interface NoiseLevel {
  readonly signal: number;
  readonly noise: number;
}

/** A network ready to be sampled from. */
export class Sampler {
  /** Adds noise to given images; made when first wanted. */
  #noising: Program | undefined;

  private constructor(
    private readonly gpu: Gpu,
    private readonly shape: readonly number[],
    /** The images at hand, of `shape`. */
    private readonly x: TensorRef,
    private readonly starting: Program,
    private readonly stepping: Program,
  ) {}

  /** Plans the programs. */
  static async create(gpu: Gpu, { shape, parameters, denoise }: SamplerParts): Promise<Sampler> {
    const [samples, ...image] = shape;
    const x = gpu.tensor(shape, { label: "samples" });

    const start = new Capture(gpu, "sampling start");
    const startKeys = start.input("keys", [samples, 4], "u32");
    const first = { samples, shape: image, stream: STREAMS.start };
    copyInto(start, x, randomNormal(start, startKeys, first));

    const step = new Capture(gpu, "sampling step");
    const keys = step.input("keys", [samples, 4], "u32");
    const timesteps = step.input("timesteps", [samples], "u32");
    const scalars = step.input("scalars", [SAMPLER_SCALARS]);
    const graph = new Graph(step, { parameters });
    const f = denoise(graph, graph.constant(x), timesteps).ref;
    const z = randomNormal(step, keys, { samples, shape: image, stream: STREAMS.samplerNoise });
    copyInto(step, x, samplerStep(step, { x, f, z }, scalars));
    return new Sampler(gpu, shape, x, await start.plan(), await step.plan());
  }

  /**
   * Makes an image for each seed.
   *
   * @param steps Of diffusion/samplers.ts.
   * @param seeds From 0 to 2^53 - 1 each.
   * @returns `[seeds.length, h, w, c]`, clipped to [-1, 1].
   * @throws {RangeError} For any other seed.
   */
  async sample(
    steps: readonly SamplerStep[],
    seeds: readonly number[],
    watch: SamplingWatch = {},
  ): Promise<Float32Array<ArrayBuffer>> {
    const [batch = 1, ...image] = this.shape;
    const length = sizeOf(image);
    const result = new Float32Array(seeds.length * length);
    for (let at = 0; at < seeds.length; at += batch) {
      const own = seeds.slice(at, at + batch);
      await this.#makeBatch(steps, own, at / batch, watch);
      result.set(await this.#read(own.length * length), at * length);
    }
    // A sampler that does not clip its predictions may end outside.
    return result.map((value) => Math.max(-1, Math.min(1, value)));
  }

  /**
   * Adds noise to images and removes it again: each image's noise comes from its own seed.
   *
   * @param images `[seeds.length, h, w, c]` in [-1, 1].
   * @param level How much noise; of the first step's timestep.
   * @param steps From that timestep on, of diffusion/reconstruction.ts.
   * @param seeds From 0 to 2^53 - 1 each.
   * @returns Images of the same shape, clipped to [-1, 1].
   * @throws {RangeError} When the number of values is not that of the images.
   */
  async reconstruct(
    images: Float32Array,
    level: NoiseLevel,
    steps: readonly SamplerStep[],
    seeds: readonly number[],
    watch: SamplingWatch = {},
  ): Promise<Float32Array<ArrayBuffer>> {
    const [batch = 1, ...image] = this.shape;
    const length = sizeOf(image);
    if (images.length !== seeds.length * length) {
      throw new RangeError(
        `Cannot reconstruct images: ${seeds.length} of them must have ${
          seeds.length * length
        } values, got ${images.length}`,
      );
    }
    const noising = this.#noising ??= await this.#planNoising();
    const result = new Float32Array(images.length);
    const scalars = samplerScalars({
      ...{ xToX0: 0, fToX0: 0, clip: false, fromX0: 0, fromF: 0 },
      fromX: level.signal,
      noise: level.noise,
    });
    for (let at = 0; at < seeds.length; at += batch) {
      const own = seeds.slice(at, at + batch);
      const x0 = new Float32Array(batch * length);
      x0.set(images.subarray(at * length, (at + own.length) * length));
      noising.run({ x0, keys: keyRows(own, batch, 0), scalars });
      await this.#takeSteps(steps, own, at / batch, watch);
      result.set(await this.#read(own.length * length), at * length);
    }
    return result.map((value) => Math.max(-1, Math.min(1, value)));
  }

  /** Frees the programs and the batch; the weights are not the sampler's. */
  destroy(): void {
    this.#noising?.destroy();
    this.starting.destroy();
    this.stepping.destroy();
    this.gpu.destroyTensor(this.x);
  }

  /** x = signal x0 + noise e, which is a sampler's update without the network. */
  async #planNoising(): Promise<Program> {
    const [samples = 1, ...image] = this.shape;
    const capture = new Capture(this.gpu, "adding noise");
    const x0 = capture.input("x0", this.shape);
    const keys = capture.input("keys", [samples, 4], "u32");
    const scalars = capture.input("scalars", [SAMPLER_SCALARS]);
    const z = randomNormal(capture, keys, { samples, shape: image, stream: STREAMS.noise });
    copyInto(capture, this.x, samplerStep(capture, { x: x0, f: x0, z }, scalars));
    return await capture.plan();
  }

  async #makeBatch(
    steps: readonly SamplerStep[],
    seeds: readonly number[],
    batch: number,
    watch: SamplingWatch,
  ): Promise<void> {
    this.starting.run({ keys: keyRows(seeds, this.shape[0] ?? 1, 0) });
    await this.#takeSteps(steps, seeds, batch, watch);
  }

  /** All steps, on the batch at hand. */
  async #takeSteps(
    steps: readonly SamplerStep[],
    seeds: readonly number[],
    batch: number,
    { onStep, wants, onImages }: SamplingWatch,
  ): Promise<void> {
    const [samples = 1, ...image] = this.shape;
    for (const [i, step] of steps.entries()) {
      this.stepping.run({
        keys: keyRows(seeds, samples, i),
        timesteps: new Uint32Array(samples).fill(step.timestep),
        scalars: samplerScalars(step),
      });
      await this.gpu.finish();
      await onStep?.(batch, i);
      if (wants?.(i)) onImages?.(i, await this.#read(seeds.length * sizeOf(image)));
    }
  }

  /** The first values of the batch at hand. */
  async #read(length: number): Promise<Float32Array<ArrayBuffer>> {
    return (await this.gpu.readF32(this.x)).slice(0, length);
  }
}

/** A key of kernels/philox.ts for each image; places without a seed take that of 0. */
function keyRows(seeds: readonly number[], samples: number, step: number): Uint32Array {
  const rows = new Uint32Array(4 * samples);
  for (let n = 0; n < samples; n++) rows.set([...seedKey(seeds[n] ?? 0), step, 0], 4 * n);
  return rows;
}
