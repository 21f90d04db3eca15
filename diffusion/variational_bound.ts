/**
 * The variational bound of a process whose variance is learned (Nichol and Dhariwal 2021, arXiv
 * 2102.09672, section 3): per sample, T times the term of its timestep estimates the sum over all.
 *
 * @module
 */
import type { Tensor } from "../autograd/graph.ts";
import { mean } from "../autograd/ops/reduce.ts";
import { scale } from "../autograd/ops/scale.ts";
import { variationalBound } from "../autograd/ops/variational_bound.ts";
import type { BoundRow, BoundTensors } from "../kernels/process/variational_bound.ts";
import {
  isLearned,
  learnedLogVariances,
  makePosterior,
  reverseLogVariance,
  type ReverseVariance,
} from "./posterior.ts";
import type { Schedule } from "./schedule.ts";

/**
 * What the terms go by at each timestep.
 *
 * @param floor See {@linkcode learnedLogVariances}.
 */
export function boundRows(
  schedule: Schedule,
  variance: ReverseVariance,
  floor: number | null,
): BoundRow[] {
  const posterior = makePosterior(schedule);
  const ranges = isLearned(variance)
    ? learnedLogVariances(schedule, variance, floor)
    : Array.from(reverseLogVariance(schedule, variance), (value) => [value, value] as const);
  return ranges.map(([least, most], t) => ({
    meanFromX0: posterior.meanFromX0[t]!,
    // Timestep 0 has the probability of the image instead.
    posterior: t === 0 ? 0 : Math.log(posterior.variance[t]!),
    middle: (least + most) / 2,
    half: (most - least) / 2,
    last: t === 0,
  }));
}

/**
 * Bits a value of each sample's term, times `weight`: `[N]`.
 *
 * @param v The network's output of the variance.
 */
export function boundInBits(
  v: Tensor,
  given: Omit<BoundTensors, "v">,
  weight: number,
): Tensor {
  const nats = mean(variationalBound(v, given), { axes: v.shape.slice(1).map((_, i) => i + 1) });
  return scale(nats, weight / Math.LN2);
}

/**
 * Bits a value between the last level of images and normal noise, which no network changes.
 *
 * @param x0 Clean images, -1 to 1.
 */
export function priorBits({ levels }: Schedule, x0: ArrayLike<number>): number {
  const { signalPower, noisePower } = levels.at(-1)!;
  let squares = 0;
  for (let i = 0; i < x0.length; i++) squares += x0[i]! ** 2;
  const nats = noisePower - 1 - Math.log(noisePower) + signalPower * squares / x0.length;
  return 0.5 * nats / Math.LN2;
}
