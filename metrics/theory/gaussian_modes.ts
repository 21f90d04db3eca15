/**
 * What is known exactly of a mode of a Gaussian field: its best denoiser, and the variance that a
 * sampler gives it when the network is linear. Modes of a covariance do not mix in a process that is
 * diagonal in them, so that each is a Gaussian of one dimension.
 *
 * A process that differs by frequency has its own levels and moves at each: everything here takes those
 * of one frequency.
 *
 * @module
 */
import { isEvaluation, keptRegisters, type Move, type SamplerStep } from "../../diffusion/moves.ts";
import type { OutputShares } from "../../diffusion/parameterization.ts";
import type { Level } from "../../diffusion/schedule.ts";

/** The best denoiser of a mode at a level. */
export interface Wiener {
  /** E[x_0 | x] = gain x. */
  readonly gain: number;
  /** Mean square error in x_0, and in the noise e. */
  readonly x0: number;
  readonly noise: number;
}

/**
 * Wiener's filter of a mode of a variance in x = signal x_0 + noise e.
 *
 *     gain = a v / (a^2 v + s^2),   E (x_0 - gain x)^2 = v s^2 / (a^2 v + s^2)
 */
export function wiener({ signal, signalPower, noisePower }: Level, variance: number): Wiener {
  const total = signalPower * variance + noisePower;
  return {
    gain: signal * variance / total,
    x0: variance * noisePower / total,
    noise: variance * signalPower / total,
  };
}

/** The network's output, as a multiple of x, that says what Wiener's filter does. */
export function wienerOutput(gain: number, { xt, output }: OutputShares): number {
  return (gain - xt) / output;
}

/**
 * The variance of a mode at the end of moves, for a network whose output is a multiple of x. Clips of
 * the predicted image are left out: nothing linear clips.
 *
 * @param outputOf The multiple at the level of an evaluation.
 * @param start Variance of the mode in x_T.
 * @throws {RangeError} When a move thresholds, or leaves its variance to the network.
 */
export function sampledVariance(
  moves: readonly Move[],
  outputOf: (level: number) => number,
  start: number,
): number {
  // x, the x_0 predicted last, and kept images, as a Gaussian vector; z is independent of it.
  const size = 2 + keptRegisters(moves);
  let covariance = new Float64Array(size * size);
  covariance[0] = start;
  for (const move of moves) {
    const { map, noise } = isEvaluation(move)
      ? evaluation(move, outputOf(move.timestep), size)
      : renoised(move.renoise, size);
    covariance = carried(covariance, map, size);
    covariance[0] = covariance[0]! + noise * noise;
  }
  return covariance[0]!;
}

function identity(size: number): Float64Array {
  return Float64Array.from(
    { length: size * size },
    (_, i) => i % (size + 1) === 0 ? 1 : 0,
  );
}

function renoised({ signal, noise }: { signal: number; noise: number }, size: number) {
  const map = identity(size);
  map[0] = signal;
  return { map, noise };
}

/** The linear map of an evaluation on the vector, and its share of fresh noise. */
function evaluation(move: SamplerStep, f: number, size: number) {
  if (move.threshold || move.chosenVariance) {
    throw new RangeError(
      "Cannot follow a mode: moves must be linear, one thresholds or has a variance of the network's",
    );
  }
  const x0 = move.xToX0 + move.fToX0 * f, map = identity(size);
  const row = (at: number, shares: Shares) => {
    map.fill(0, at * size, (at + 1) * size);
    map[at * size] = (shares.x0 ?? 0) * x0 + (shares.x ?? 0) + (shares.f ?? 0) * f;
    map[at * size + 1] = shares.before ?? 0;
    shares.kept?.forEach((share, i) => map[at * size + 2 + i] = share);
  };
  const { fromX0, fromX, fromF, fromBefore = 0, fromKept = [] } = move;
  row(0, { x0: fromX0, x: fromX, f: fromF, before: fromBefore, kept: fromKept });
  row(1, { x0: 1 });
  move.keep?.forEach((shares, i) => shares && row(2 + i, shares));
  return { map, noise: move.noise };
}

type Shares = NonNullable<NonNullable<SamplerStep["keep"]>[number]>;

/** M C M^T. */
function carried(
  covariance: Float64Array,
  map: Float64Array,
  size: number,
): Float64Array<ArrayBuffer> {
  const half = new Float64Array(size * size), result = new Float64Array(size * size);
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      for (let k = 0; k < size; k++) {
        half[i * size + j] = half[i * size + j]! + map[i * size + k]! * covariance[k * size + j]!;
      }
    }
  }
  for (let i = 0; i < size; i++) {
    for (let j = 0; j < size; j++) {
      for (let k = 0; k < size; k++) {
        result[i * size + j] = result[i * size + j]! + half[i * size + k]! * map[j * size + k]!;
      }
    }
  }
  return result;
}
