/**
 * Ancestral sampling (Ho et al. 2020, arXiv 2006.11239, algorithm 2): every timestep from T - 1 to
 * 0, x' = m + sigma z with m the posterior mean c1 x0 + c2 x of the predicted x0 (equation 7), and
 * no noise at timestep 0.
 *
 * With clipping, x0 is clipped before the mean is formed, as in the authors' code. Without it, an
 * image is to be clipped to [-1, 1] once it is finished.
 *
 * @module
 */
import type { SamplerStep } from "../moves.ts";
import {
  isLearned,
  learnedLogVariances,
  makePosterior,
  reverseLogVariance,
  type ReverseVariance,
} from "../posterior.ts";
import type { Process } from "../process.ts";
import type { Schedule } from "../schedule.ts";
import type { SamplerRecord, StepSettings } from "./record.ts";

/** See the module. */
export const DDPM = {
  description: "ancestral, every timestep",
  steps: null,
  options: {},
  moves: ancestralSteps,
} as const satisfies SamplerRecord;

/**
 * The steps of an ancestral sample; `options.eta` and `options.spacing` play no part.
 *
 * @throws {RangeError} if `options.steps` is neither null nor the number of timesteps
 */
export function ancestralSteps(options: StepSettings, process: Process): SamplerStep[] {
  const { schedule, clipX0 } = process;
  if (options.steps !== null && options.steps !== schedule.timesteps) {
    throw new RangeError(
      `Cannot sample with ddpm: steps must be ${schedule.timesteps}, every timestep, ` +
        `got ${options.steps} (ddim with eta 1 is the sampler that skips)`,
    );
  }
  const { meanFromX0, meanFromXt } = makePosterior(schedule);
  const noiseAt = noiseOf(schedule, process.variance);
  // Where the output is the mean itself, going through x0 would only add round-off.
  const direct = process.outputsMean && !clipX0;
  return Array.from({ length: schedule.timesteps }, (_, i) => {
    const timestep = schedule.timesteps - 1 - i;
    const x0 = process.toX0(timestep);
    return {
      timestep,
      previous: timestep - 1,
      xToX0: x0.xt,
      fToX0: x0.output,
      clip: clipX0,
      fromX0: direct ? 0 : meanFromX0[timestep]!,
      fromX: direct ? 0 : meanFromXt[timestep]!,
      fromF: direct ? 1 : 0,
      ...timestep === 0 ? { noise: 0 } : noiseAt(timestep),
    };
  });
}

/** The noise of a step, which the network may scale. */
function noiseOf(
  schedule: Schedule,
  variance: ReverseVariance,
): (timestep: number) => Pick<SamplerStep, "noise" | "chosenVariance"> {
  if (isLearned(variance)) {
    const ranges = learnedLogVariances(schedule, variance);
    return (timestep) => ({ noise: 1, chosenVariance: ranges[timestep]! });
  }
  const logVariance = reverseLogVariance(schedule, variance);
  return (timestep) => ({ noise: Math.exp(0.5 * logVariance[timestep]!) });
}
