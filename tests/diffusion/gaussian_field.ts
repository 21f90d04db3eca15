/**
 * Samplers on Gaussian fields, whose denoiser is known in closed form.
 *
 * @module
 */
import { isEvaluation, keptRegisters, type Move, type SamplerStep } from "../../diffusion/moves.ts";
import type { Process } from "../../diffusion/process.ts";

/** Variance of a noisy image at the last level. */
export function marginal({ schedule }: Process, c: number): number {
  const { signalPower, noisePower } = schedule.levels.at(-1)!;
  return signalPower * c + noisePower;
}

/**
 * Variance of what a sampler makes at a frequency, with the closed-form denoiser of a Gaussian field of power C,
 * x0 = a C / (a^2 C + s^2) x: all is linear, so that the covariance of the image, of the x0 before and of what
 * is kept is followed exactly.
 *
 * @param start Variance of what it starts from: that of a noisy image unless given.
 */
export function finalVariance(
  moves: readonly Move[],
  band: number,
  own: Process,
  c: number,
  start = marginal(own, c),
): number {
  const size = 2 + keptRegisters(moves);
  const square = () => new Float64Array(size * size);
  let covariance = square(), half = square(), next = square();
  covariance[0] = start;
  for (const move of moves) {
    const matrix = square();
    for (let i = 0; i < size; i++) matrix[i * size + i] = 1;
    let added: number;
    if (isEvaluation(move)) {
      const step = move.bands![band]!, at = own.schedule.at(move.timestep);
      const { xt, output } = own.toX0(move.timestep);
      const gain = at.signal * c / (at.signalPower * c + at.noisePower);
      const f = (gain - xt) / output, clean = step.xToX0 + step.fToX0 * f;
      const set = (row: number, { x0 = 0, x = 0, f: ofF = 0, before = 0, kept = [] }: SharesOf) => {
        matrix.fill(0, row * size, (row + 1) * size);
        matrix[row * size] = x0 * clean + x + ofF * f;
        matrix[row * size + 1] = before;
        kept.forEach((share, i) => matrix[row * size + 2 + i] = share);
      };
      set(0, {
        ...{ x0: step.fromX0, x: step.fromX, f: step.fromF },
        ...{ before: step.fromBefore ?? 0, kept: step.fromKept ?? [] },
      });
      set(1, { x0: 1 });
      step.keep?.forEach((shares, i) => shares && set(2 + i, shares));
      added = step.noise ** 2;
    } else {
      const { signal, noise } = move.bands![band]!;
      matrix[0] = signal;
      added = noise ** 2;
    }
    half = product(matrix, covariance, size, false);
    next = product(half, matrix, size, true);
    next[0]! += added;
    [covariance, next] = [next, covariance];
  }
  return covariance[0]!;
}

/** a b, or a times b transposed, of square matrices. */
function product(a: Float64Array, b: Float64Array, size: number, transposed: boolean) {
  const result = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      let sum = 0;
      for (let k = 0; k < size; k++) {
        sum += a[i * size + k]! * b[transposed ? j * size + k : k * size + j]!;
      }
      result[i * size + j] = sum;
    }
  }
  return result;
}
type SharesOf = NonNullable<NonNullable<SamplerStep["keep"]>[number]>;
