/**
 * DDIM (Song, Meng and Ermon 2021, arXiv 2010.02502): with a = A_t and p = A of the timestep
 * before, equation 12 is
 *
 *     x' = sqrt(p) x0 + sqrt(1 - p - sigma^2) e + sigma z
 *     sigma = eta sqrt((1 - p) / (1 - a)) sqrt(1 - a / p)                       (equation 16)
 *
 * eta 0 draws no noise; eta 1 over every timestep is ancestral sampling with `fixedsmall`.
 *
 * @module
 */
import type { SamplerOptions } from "./options.ts";
import type { ReverseProcess, SamplerStep } from "./sampler_step.ts";
import { spaceTimesteps } from "./spacing.ts";
import { outputToX0 } from "./target.ts";

/**
 * The steps of a DDIM sample.
 *
 * @throws {RangeError} if `options.steps` is not from 1 to T, or `options.eta` not in [0, 1]
 */
export function ddimSteps(options: SamplerOptions, process: ReverseProcess): SamplerStep[] {
  const { schedule, target, clipX0 } = process;
  if (!(options.eta >= 0 && options.eta <= 1)) {
    throw new RangeError(`Cannot sample with ddim: eta must lie in [0, 1], got ${options.eta}`);
  }
  const steps = options.steps ?? schedule.timesteps;
  const timesteps = spaceTimesteps(options.spacing, schedule.timesteps, steps);
  const x0 = outputToX0(schedule, target);
  return timesteps.map((timestep, i) => {
    const previous = timesteps[i + 1] ?? -1;
    const a = schedule.alphasCumprod[timestep]!;
    const p = previous < 0 ? 1 : schedule.alphasCumprod[previous]!;
    const noise = options.eta * Math.sqrt((1 - p) / (1 - a)) * Math.sqrt(1 - a / p);
    const direction = Math.sqrt(Math.max(0, 1 - p - noise * noise));
    return {
      timestep,
      previous,
      xToX0: x0.xt[timestep]!,
      fToX0: x0.output[timestep]!,
      clip: clipX0,
      noise,
      ...(target === "epsilon" && !clipX0
        ? { fromX0: Math.sqrt(p), fromX: 0, fromF: direction }
        : throughX0(a, p, direction)),
    };
  });
}

/**
 * sqrt(p) x0 + direction e with e = (x - sqrt(a) x0) / sqrt(1 - a) put in, so that e agrees with a
 * clipped x0. Both shares lie in [0, 1], as a <= p: nothing cancels.
 */
function throughX0(a: number, p: number, direction: number) {
  const fromX = direction / Math.sqrt(1 - a);
  return { fromX0: Math.sqrt(p) - fromX * Math.sqrt(a), fromX, fromF: 0 };
}
