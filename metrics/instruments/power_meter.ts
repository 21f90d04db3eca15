/**
 * Power spectra of images on the GPU, one an image: mean power of the orthonormal transform over
 * rings |k| = 1, 2, ... to half the side, channels averaged.
 *
 * @module
 */
import { Capture } from "../../device/capture.ts";
import { BYTES } from "../../device/element.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { Program } from "../../device/program.ts";
import { sizeOf, type TensorRef } from "../../device/tensor.ts";
import { unitRings } from "../../diffusion/frequency.ts";
import { fourierTransform } from "../../kernels/fft/fft2.ts";
import { ringPowers } from "../../kernels/fft/ring_powers.ts";
import { createRings, destroyRings, type Rings } from "../../kernels/fft/rings.ts";
import { type Gaussian, Moments } from "../numerics/moments.ts";
import { ringCount } from "../numerics/power_law.ts";
import { ROUNDING_POWER } from "../numerics/radial_spectrum.ts";

/** Images measured at once, at most, and bytes of their transforms. */
const BATCH = 32, BATCH_BYTES = 64 << 20;

/** Sizes of images. */
export interface PlaneSize {
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/**
 * Images whose transforms a binding of the adapter holds.
 *
 * @throws {RangeError} When it does not hold one.
 */
export function transformedAtOnce(gpu: Gpu, { height, width, channels }: PlaneSize): number {
  const bytes = 2 * BYTES.f32 * height * width * channels;
  const { maxStorageBufferBindingSize: binding, maxBufferSize } = gpu.limits;
  const most = Math.min(binding, maxBufferSize);
  if (bytes <= most) return Math.floor(most / bytes);
  throw new RangeError(
    `Cannot transform images of ${height}x${width}x${channels}: a transform must have at most ` +
      `${most} bytes, a binding of this adapter, got ${bytes}`,
  );
}

/** Records the powers of images `[n, h, w, c]`: `[n, R]` over all rings of width 1, the mean's too. */
export function recordPowers(capture: Capture, x: TensorRef, rings: Rings): TensorRef {
  const [, height = 1, width = 1] = x.shape;
  const scale = 1 / Math.sqrt(height * width);
  return ringPowers(capture, fourierTransform(capture, x, { inverse: false, scale }), rings);
}

/** The rings that {@linkcode recordPowers} takes. */
export function powerRings(gpu: Gpu, { height, width }: PlaneSize): Rings {
  const { index, count } = unitRings(height, width);
  return createRings(gpu, index, count);
}

/** Of all rings' powers, those of |k| = 1 to half the side, for the first `count` samples. */
export function keptRings(
  powers: Float32Array,
  all: number,
  size: PlaneSize,
  count: number,
): Float64Array {
  const kept = ringCount(size.height, size.width);
  return Float64Array.from(
    { length: count * kept },
    (_, i) => powers[Math.floor(i / kept) * all + 1 + i % kept]!,
  );
}

/** Measures images of one size. */
export class PowerMeter {
  private constructor(
    private readonly gpu: Gpu,
    private readonly size: PlaneSize,
    private readonly rings: Rings,
    private readonly x: TensorRef,
    private readonly powers: TensorRef,
    private readonly program: Program,
  ) {}

  /** Plans the measurement. */
  static async create(gpu: Gpu, size: PlaneSize): Promise<PowerMeter> {
    const { height, width, channels } = size;
    const fair = Math.floor(BATCH_BYTES / (2 * BYTES.f32 * height * width * channels));
    const batch = Math.min(BATCH, transformedAtOnce(gpu, size), Math.max(1, fair));
    const x = gpu.tensor([batch, height, width, channels], { label: "images" });
    const rings = powerRings(gpu, size);
    const capture = new Capture(gpu, "power spectra");
    const powers = capture.keep(recordPowers(capture, x, rings));
    return new PowerMeter(gpu, size, rings, x, powers, await capture.plan());
  }

  /**
   * The power of each ring of each image, `[count, rings]`.
   *
   * @param images `[count, h, w, c]` in [-1, 1], or as bytes.
   */
  async measure(images: Float32Array | Uint8Array): Promise<Float64Array> {
    const [batch = 1, ...image] = this.x.shape;
    const length = sizeOf(image);
    const count = images.length / length, dimension = ringCount(this.size.height, this.size.width);
    const result = new Float64Array(count * dimension);
    for (let first = 0; first < count; first += batch) {
      const own = images.subarray(first * length, (first + batch) * length);
      const values = new Float32Array(batch * length);
      values.set(own instanceof Uint8Array ? Float32Array.from(own, (v) => v / 127.5 - 1) : own);
      this.gpu.write(this.x, values);
      this.program.run();
      const powers = await this.program.readF32(this.powers);
      const used = own.length / length;
      result.set(keptRings(powers, this.rings.count, this.size, used), first * dimension);
    }
    return result;
  }

  /** Frees its memory. */
  destroy(): void {
    this.program.destroy();
    this.gpu.destroyTensor(this.x);
    destroyRings(this.gpu, this.rings);
  }
}

/** Mean and covariance of log powers, whose Frechet distance is the spectral distance. */
export function logPowerMoments(powers: Float64Array, rings: number): Gaussian {
  const moments = new Moments(rings);
  moments.add(powers.map((power) => Math.log(power + ROUNDING_POWER)));
  return moments.gaussian();
}
