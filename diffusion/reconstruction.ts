/**
 * Reconstruction: noise is added up to a timestep t0 and removed again. Images unlike those that the
 * network has seen come back changed the most, which is what outlier detection measures.
 *
 * @module
 */
import type { DiffusionOptions, SamplerOptions } from "./options.ts";
import type { NoiseLevel, SamplerStep } from "./sampler_step.ts";
import { SAMPLERS } from "./samplers.ts";
import { makeSchedule, scheduleFromBetas } from "./schedule.ts";

/** How far images are noised, and the way back. */
export interface Reconstruction {
  /** Timestep whose noise is added: the first that the way back visits, t0 or just below. */
  readonly timestep: number;
  readonly level: NoiseLevel;
  readonly steps: readonly SamplerStep[];
}

/**
 * The way back from t0 = floor(factor T) - 1, over the share of the sampler's steps that lie below.
 * The first t0 + 1 timesteps are a process of their own, so no step can miss its end.
 *
 * @param factor In (0, 1].
 * @throws {RangeError} When the factor is out of its range, or leaves fewer than two timesteps.
 */
export function reconstructionSteps(
  diffusion: DiffusionOptions,
  sampler: SamplerOptions,
  factor: number,
): Reconstruction {
  const whole = makeSchedule(diffusion);
  const count = Math.floor(whole.timesteps * factor);
  if (!(factor > 0 && factor <= 1) || count < 2) {
    throw new RangeError(
      `Cannot reconstruct: the factor must be above ${
        2 / whole.timesteps
      } and at most 1, got ${factor}`,
    );
  }
  const schedule = scheduleFromBetas(whole.betas.slice(0, count));
  const steps = sampler.steps === null || sampler.name === "ddpm"
    ? null
    : Math.max(1, Math.round(sampler.steps * count / whole.timesteps));
  const process = { ...diffusion, schedule };
  const way = SAMPLERS[sampler.name]({ ...sampler, steps }, process);
  const timestep = way[0]!.timestep;
  return {
    timestep,
    level: {
      signal: schedule.sqrtAlphasCumprod[timestep]!,
      noise: schedule.sqrtOneMinusAlphasCumprod[timestep]!,
    },
    steps: way,
  };
}
