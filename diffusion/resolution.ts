/**
 * Measures what a network has resolved at each level, frequency by frequency, for coloured noise
 * (noise_colour.ts has the equations): a few images are made by DDIM without noise, and what each step
 * predicts is compared with what they end as.
 *
 * @module
 */
import { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import type { Program } from "../device/program.ts";
import { sizeOf, type TensorRef } from "../device/tensor.ts";
import { fourierTransform } from "../kernels/fft/fft2.ts";
import { ringPowers } from "../kernels/fft/ring_powers.ts";
import { createRings, destroyRings, type Rings } from "../kernels/fft/rings.ts";
import { unitRings } from "./frequency.ts";
import { isEvaluation, type Move, type SamplerStep } from "./moves.ts";
import { colourFactors, type Resolved, resolvedAt } from "./noise_colour.ts";
import type { Process } from "./process.ts";
import { ddimSteps } from "./samplers/ddim.ts";

/** Seed of the first image that is made for this; the others follow. */
const FIRST_SEED = 2 ** 40;

/** Makes the images of some seeds by given steps, and tells of every step once it is done. */
export type Follow = (
  seeds: readonly number[],
  steps: readonly SamplerStep[],
  seen: (step: number) => Promise<void>,
) => Promise<void>;

/** What is read of a batch while it is made: values of its first images. */
export interface ImageReader {
  predicted(count: number): Promise<Float32Array>;
  images(count: number): Promise<Float32Array>;
}

/** See the module. */
export class ResolutionMeter {
  private constructor(
    private readonly gpu: Gpu,
    private readonly shape: readonly number[],
    private readonly index: Uint32Array,
    private readonly rings: Rings,
    private readonly program: Program,
    private readonly powers: TensorRef,
  ) {}

  /**
   * Plans the program.
   *
   * @param shape Of a batch, `[n, h, w, c]`.
   */
  static async create(gpu: Gpu, shape: readonly number[]): Promise<ResolutionMeter> {
    const [, height = 0, width = 0] = shape;
    const { index, count } = unitRings(height, width);
    const rings = createRings(gpu, index, count);
    const capture = new Capture(gpu, "what is resolved");
    const x = capture.input("x", shape);
    const z = fourierTransform(capture, x, { inverse: false, scale: 1 });
    const powers = capture.keep(ringPowers(capture, z, rings));
    return new ResolutionMeter(gpu, shape, index, rings, await capture.plan(), powers);
  }

  /** The factors of the noise of each move, `[h, w]`, or null where it stays white. */
  async colours(
    moves: readonly Move[],
    process: Process,
    follow: Follow,
    read: ImageReader,
  ): Promise<(Float32Array<ArrayBuffer> | null)[]> {
    const { schedule } = process;
    const asked = moves.flatMap((move) => isEvaluation(move) && move.colour ? [move.colour] : []);
    const steps = ddimSteps({
      ...{ steps: Math.min(asked.length, schedule.timesteps), eta: 0, spacing: "uniform" },
    }, process);
    const known = await this.#measure(steps, asked[0]!.images, process, follow, read);
    return moves.map((move) =>
      isEvaluation(move) && move.colour
        ? colourFactors(
          move.colour,
          resolvedAt(known, schedule.at(move.timestep)),
          this.index,
        )
        : null
    );
  }

  /** What is resolved at the level of each step. */
  async #measure(
    steps: readonly SamplerStep[],
    count: number,
    { schedule }: Process,
    follow: Follow,
    read: ImageReader,
  ): Promise<Resolved[]> {
    const [batch = 1] = this.shape;
    const left = steps.map(() => new Float64Array(this.rings.count));
    const all = new Float64Array(this.rings.count);
    for (let at = 0; at < count; at += batch) {
      const size = Math.min(batch, count - at);
      const seeds = Array.from({ length: size }, (_, i) => FIRST_SEED + at + i);
      const predicted: Float32Array[] = [];
      await follow(seeds, steps, async () => void predicted.push(await read.predicted(size)));
      const images = await read.images(size);
      await this.#add(all, images);
      for (const [i, found] of predicted.entries()) {
        await this.#add(left[i]!, found.map((value, k) => value - images[k]!));
      }
    }
    return steps.map(({ timestep }, i) => ({
      level: schedule.at(timestep),
      rings: all.map((power, r) =>
        power > 0 ? Math.min(1, Math.max(0, 1 - left[i]![r]! / power)) : 0
      ),
    }));
  }

  /** Adds the power of images in each ring; places without an image have none. */
  async #add(sums: Float64Array, images: Float32Array): Promise<void> {
    const x = new Float32Array(sizeOf(this.shape));
    x.set(images);
    this.program.run({ x });
    const powers = await this.program.readF32(this.powers);
    powers.forEach((power, i) => sums[i % sums.length]! += power);
  }

  /** Frees the program. */
  destroy(): void {
    this.program.destroy();
    destroyRings(this.gpu, this.rings);
  }
}
