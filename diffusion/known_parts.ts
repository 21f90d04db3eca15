/**
 * The known parts of images that are being inpainted, on the GPU: they are put back at the noise level
 * of each step, and whole images are noised again.
 *
 * @module
 */
import { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import type { Program } from "../device/program.ts";
import type { TensorRef } from "../device/tensor.ts";
import { copyInto } from "../kernels/elementwise/add.ts";
import { blend } from "../kernels/elementwise/blend.ts";
import { randomNormal } from "../kernels/process/random.ts";
import { SAMPLER_SCALARS, samplerScalars, samplerStep } from "../kernels/process/sampler_step.ts";
import { STREAMS } from "./denoiser.ts";
import type { NoiseLevel } from "./sampler_step.ts";

/** x' = signal x + noise z as the coefficients of a sampler's update. */
export function noiseScalars({ signal, noise }: NoiseLevel): Float32Array<ArrayBuffer> {
  const rest = { xToX0: 0, fToX0: 0, clip: false, fromX0: 0, fromF: 0 };
  return samplerScalars({ ...rest, fromX: signal, noise });
}

/** Known parts of the images of a batch. */
export class KnownParts {
  private constructor(
    private readonly gpu: Gpu,
    private readonly images: TensorRef,
    private readonly known: TensorRef,
    private readonly keeping: Program,
    private readonly renoising: Program,
  ) {}

  /**
   * Plans the programs.
   *
   * @param x The images that are being made, `[n, h, w, c]`.
   */
  static async create(gpu: Gpu, x: TensorRef): Promise<KnownParts> {
    const [samples = 1, ...shape] = x.shape;
    const images = gpu.tensor(x.shape, { label: "given images" });
    const known = gpu.tensor(x.shape, { label: "known parts" });
    const draw = { samples, shape, stream: STREAMS.noise };
    const noised = (capture: Capture, image: TensorRef) => {
      const z = randomNormal(capture, capture.input("keys", [samples, 4], "u32"), draw);
      const scalars = capture.input("scalars", [SAMPLER_SCALARS]);
      return samplerStep(capture, { x: image, f: image, z }, scalars);
    };
    const keep = new Capture(gpu, "keeping known parts");
    copyInto(keep, x, blend(keep, { mask: known, a: noised(keep, images), b: x }));
    const back = new Capture(gpu, "noising again");
    copyInto(back, x, noised(back, x));
    return new KnownParts(gpu, images, known, await keep.plan(), await back.plan());
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

  /** The images become `signal` of themselves and `noise` of fresh noise. */
  renoise(level: NoiseLevel, keys: Uint32Array): void {
    this.renoising.run({ keys, scalars: noiseScalars(level) });
  }

  /** Frees everything but the images that are being made. */
  destroy(): void {
    this.keeping.destroy();
    this.renoising.destroy();
    this.gpu.destroyTensor(this.images);
    this.gpu.destroyTensor(this.known);
  }
}
