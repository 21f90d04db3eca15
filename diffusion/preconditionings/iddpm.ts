/**
 * Improved DDPM's network (Nichol and Dhariwal 2021, arXiv 2102.09672) as a preconditioning (Karras et
 * al. 2022, arXiv 2206.00364, table 1): it knows the noise of M timesteps of a cosine schedule,
 *
 *     u_M = 0,   u_{j-1} = sqrt((u_j^2 + 1) / max(A_{j-1} / A_j, c_1) - 1),
 *     A_j = sin(pi/2 j / (M (c_2 + 1)))^2,
 *
 * and is told the timestep whose noise is nearest. Index 0 is the noisiest.
 *
 * @module
 */
import type { Preconditioning } from "../preconditioning.ts";

/** The schedule. */
export interface IddpmOptions {
  /** Timesteps M; 1000 unless given. */
  readonly timesteps?: number;
  /** The least that a step keeps, c_1; 0.001 unless given. */
  readonly leastKept?: number;
  /** Offset of the cosine, c_2; 0.008 unless given. */
  readonly offset?: number;
  /** The M + 1 levels themselves, as a checkpoint has them in f32; computed unless given. */
  readonly levels?: ArrayLike<number>;
}

/** The levels u, `[M + 1]`, from the noisiest to 0. */
export function iddpmLevels(
  { timesteps = 1000, leastKept = 0.001, offset = 0.008 }: IddpmOptions = {},
): Float64Array {
  const kept = (j: number) => Math.sin(0.5 * Math.PI * j / timesteps / (offset + 1)) ** 2;
  const levels = new Float64Array(timesteps + 1);
  for (let j = timesteps; j > 0; j--) {
    const ratio = Math.max(kept(j - 1) / kept(j), leastKept);
    levels[j - 1] = Math.sqrt((levels[j]! ** 2 + 1) / ratio - 1);
  }
  return levels;
}

/** Index of the level nearest to a sigma, the first of those that are equally near. */
export function nearestLevel(levels: ArrayLike<number>, sigma: number): number {
  let nearest = 0;
  for (let i = 1; i < levels.length; i++) {
    if (Math.abs(levels[i]! - sigma) < Math.abs(levels[nearest]! - sigma)) nearest = i;
  }
  return nearest;
}

/** See the module. */
export function iddpmPreconditioning(options: IddpmOptions = {}): Preconditioning {
  const levels = options.levels ?? iddpmLevels(options);
  const last = levels.length - 2;
  return {
    sigmaMin: levels[last]!,
    sigmaMax: levels[0]!,
    at: (sigma) => ({
      skip: 1,
      output: -sigma,
      input: 1 / Math.sqrt(sigma ** 2 + 1),
      condition: last - nearestLevel(levels, sigma),
    }),
    round: (sigma) => levels[nearestLevel(levels, sigma)]!,
  };
}
