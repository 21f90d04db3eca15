/**
 * The learning curve of a linear denoiser in closed form (Wang and Pehlevan 2025, arXiv 2503.03206,
 * section 3): one matrix W for each bin of levels, zero at first, under gradient descent on the mean
 * square error of the whole data, with the noise averaged out.
 *
 * The loss is quadratic in W and, in the eigenmodes of the data's covariance, a sum over modes. For a
 * mode of variance v, with x = a x_0 + s e at a level, the network given c x and told to say y, and levels
 * weighted by g,
 *
 *     A = mean of g E (c x)^2 = g c^2 (a^2 v + s^2),   B = g E c x y
 *     w_n = B / A (1 - (1 - 2 lr A / d)^n)
 *
 * where the means go over all levels, those of other bins counting as zero, and d is the number of an
 * image's values, as the loss is a mean over them. A mode is learnt in about d / (2 lr A) steps: in
 * proportion to 1 / v where noise is small beside it.
 *
 * The bias is left out: it learns the data's mean, which is zero in a Gaussian field. Steps of random
 * images and noise follow the same curve on average.
 *
 * @module
 */
import type { Process } from "../../diffusion/process.ts";
import { sampledVariance } from "./gaussian_modes.ts";
import type { Move } from "../../diffusion/moves.ts";

/** What is trained, and how. */
export interface LinearTraining {
  /** The process; its levels are counted, and each is as likely as another. */
  readonly process: Process;
  /** Matrices. */
  readonly bins: number;
  /** Learning rate, the same at every step. */
  readonly lr: number;
  /** Values of an image. */
  readonly length: number;
}

/** Moments of what goes into the network and of what should come out. */
interface Pair {
  /** E (c x)^2, E c x y and E y^2. */
  readonly input: number;
  readonly shared: number;
  readonly target: number;
}

/** The curve. */
export class LinearLearning {
  constructor(private readonly training: LinearTraining) {}

  /** The mode's element of the matrix of a level, after so many steps. */
  weight(variance: number, row: number, steps: number): number {
    const { process: { schedule, tables }, bins, lr, length } = this.training;
    const binOf = (level: number) => Math.floor(level * bins / schedule.timesteps);
    let a = 0, b = 0;
    for (let level = 0; level < schedule.timesteps; level++) {
      if (binOf(level) !== binOf(row)) continue;
      const { input, shared } = this.#pair(variance, level);
      const share = (tables.weight?.[level] ?? 1) / schedule.timesteps;
      a += share * input;
      b += share * shared;
    }
    return a === 0 ? 0 : b / a * (1 - (1 - 2 * lr * a / length) ** steps);
  }

  /** Mean square error in the noise of a mode at a level, after so many steps. */
  noiseLoss(variance: number, row: number, steps: number): number {
    const { input, shared, target } = this.#pair(variance, row);
    const w = this.weight(variance, row, steps);
    const share = this.training.process.tables.toNoise.output[row]!;
    return share ** 2 * (w * w * input - 2 * w * shared + target);
  }

  /** The variance of a mode in what is sampled after so many steps. */
  sampled(variance: number, steps: number, moves: readonly Move[]): number {
    const { process } = this.training;
    const start = process.schedule.start ?? 1;
    const known = new Map<number, number>();
    const outputOf = (level: number) => {
      const found = known.get(level);
      if (found !== undefined) return found;
      const output = process.inputScale(level) * this.weight(variance, Math.round(level), steps);
      known.set(level, output);
      return output;
    };
    return sampledVariance(moves, outputOf, start * start);
  }

  #pair(variance: number, row: number): Pair {
    const { schedule, tables } = this.training.process;
    const { signal, noise } = schedule.levels[row]!, scale = tables.inputScale?.[row] ?? 1;
    // What should come out, as shares of x_0 and e: x_t has both.
    const image = tables.target.x0[row]! + tables.target.xt[row]! * signal;
    const grain = tables.target.noise[row]! + tables.target.xt[row]! * noise;
    return {
      input: scale ** 2 * (signal ** 2 * variance + noise ** 2),
      shared: scale * (signal * image * variance + noise * grain),
      target: image ** 2 * variance + grain ** 2,
    };
  }
}
