/**
 * The known parts of images that are being inpainted, on the GPU: they are put back at the noise level
 * of each step.
 *
 * @module
 */
import { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import type { Program } from "../device/program.ts";
import type { TensorRef } from "../device/tensor.ts";
import { copyInto } from "../kernels/elementwise/add.ts";
import { blend } from "../kernels/elementwise/blend.ts";
import { SAMPLER_SCALARS, samplerScalars } from "../kernels/process/sampler_step.ts";
import { STREAMS } from "../support/random_streams.ts";
import type { KnownNoise } from "./inpainting.ts";
import type { ProcessOnGpu } from "./level_tables.ts";
import type { DrawNoise } from "./noises/record.ts";
import type { NoiseLevel } from "./schedule.ts";

/** What adds noise to images. */
export interface NoisingProcess {
  readonly onGpu: ProcessOnGpu;
  readonly drawNoise: DrawNoise;
}

/**
 * Records x' = signal x + noise z, which is a sampler's update without the network, with the inputs
 * `keys` and `scalars`.
 */
export function recordNoising(
  capture: Capture,
  { onGpu, drawNoise }: NoisingProcess,
  x: TensorRef,
  stream: number = STREAMS.noise,
): TensorRef {
  const [samples = 1, ...shape] = x.shape;
  const keys = capture.input("keys", [samples, 4], "u32");
  const z = drawNoise(capture, keys, { samples, shape, stream });
  const scalars = capture.input("scalars", scalarShape(onGpu, SAMPLER_SCALARS));
  return onGpu.step(capture, { x, f: x, z }, scalars);
}

/**
 * x' = signal x + noise z as the coefficients of a sampler's update.
 *
 * @param bands The level of each band of frequencies where they differ.
 */
export function noiseScalars(
  level: NoiseLevel,
  bands: readonly NoiseLevel[] = [level],
): Float32Array<ArrayBuffer> {
  const rest = { xToX0: 0, fToX0: 0, clip: false, fromX0: 0, fromF: 0 };
  return scalarsOfBands(
    bands,
    ({ signal, noise }) => samplerScalars({ ...rest, fromX: signal, noise }),
  );
}

/** Shape of the tensor of coefficients of an update, `count` of them for each band. */
export function scalarShape({ bands }: Pick<ProcessOnGpu, "bands">, count: number): number[] {
  return bands === 1 ? [count] : [bands, count];
}

/** The coefficients of bands, one after another. */
export function scalarsOfBands<T>(
  bands: readonly T[],
  scalarsOf: (band: T) => Float32Array<ArrayBuffer>,
): Float32Array<ArrayBuffer> {
  if (bands.length === 1) return scalarsOf(bands[0]!);
  const all = bands.map(scalarsOf), count = all[0]!.length;
  const scalars = new Float32Array(all.length * count);
  all.forEach((own, i) => scalars.set(own, i * count));
  return scalars;
}

/** Known parts of the images of a batch. */
export class KnownParts {
  private constructor(
    private readonly gpu: Gpu,
    private readonly images: TensorRef,
    private readonly known: TensorRef,
    private readonly keeping: Program,
    /** Where their noise comes from. */
    readonly noise: KnownNoise,
  ) {}

  /**
   * Plans the programs.
   *
   * @param x The images that are being made, `[n, h, w, c]`.
   */
  static async create(
    gpu: Gpu,
    process: NoisingProcess,
    x: TensorRef,
    noise: KnownNoise,
  ): Promise<KnownParts> {
    const images = gpu.tensor(x.shape, { label: "given images" });
    const known = gpu.tensor(x.shape, { label: "known parts" });
    const keep = new Capture(gpu, "keeping known parts");
    const stream = noise === "start" ? STREAMS.start : STREAMS.noise;
    const noisy = recordNoising(keep, process, images, stream);
    copyInto(keep, x, blend(keep, { mask: known, a: noisy, b: x }));
    return new KnownParts(gpu, images, known, await keep.plan(), noise);
  }

  /** Sets the given images and where they are known (1, else 0), a whole batch of values each. */
  set(images: Float32Array<ArrayBuffer>, known: Float32Array<ArrayBuffer>): void {
    this.gpu.write(this.images, images);
    this.gpu.write(this.known, known);
  }

  /** Where they are known, the images become the given ones at a noise level; 1 and 0 are exact. */
  keep(level: NoiseLevel, keys: Uint32Array): void {
    this.keeping.run({ keys, scalars: noiseScalars(level) });
  }

  /** Frees everything but the images that are being made. */
  destroy(): void {
    this.keeping.destroy();
    this.gpu.destroyTensor(this.images);
    this.gpu.destroyTensor(this.known);
  }
}
