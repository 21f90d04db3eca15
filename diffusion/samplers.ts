/**
 * The samplers by name.
 *
 * @module
 */
import { ancestralSteps } from "./ancestral.ts";
import { ddimSteps } from "./ddim.ts";
import { dpmSolverSteps } from "./dpm_solver.ts";
import type { DiffusionOptions, SamplerName, SamplerOptions } from "./options.ts";
import { makeSchedule } from "./schedule.ts";
import type { ReverseProcess, SamplerStep } from "./sampler_step.ts";

/** The steps of each sampler. A new one is a file and a line here. */
export const SAMPLERS: Readonly<
  Record<SamplerName, (options: SamplerOptions, process: ReverseProcess) => SamplerStep[]>
> = {
  ddpm: ancestralSteps,
  ddim: ddimSteps,
  "dpmpp-2m": dpmSolverSteps,
};

/**
 * The steps of a sample, first to last, for the process of `diffusion`.
 *
 * @param sampler the sampler; by default the one of `diffusion`
 * @throws {RangeError} if an option is outside its range
 */
export function samplerSteps(
  diffusion: DiffusionOptions,
  sampler: SamplerOptions = diffusion.sampler,
): SamplerStep[] {
  return SAMPLERS[sampler.name](sampler, { ...diffusion, schedule: makeSchedule(diffusion) });
}
