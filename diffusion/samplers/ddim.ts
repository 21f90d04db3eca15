/**
 * DDIM (Song, Meng and Ermon 2021, arXiv 2010.02502): with a = A_t and p = A of the timestep
 * before, equation 12 is
 *
 *     x' = sqrt(p) x0 + sqrt(1 - p - sigma^2) e + sigma z
 *     sigma = eta sqrt((1 - p) / (1 - a)) sqrt(1 - a / p)                       (equation 16)
 *
 * and in general sqrt(p) the signal of a level, 1 - p the power of its noise, and 1 - a / p that of
 * the noise added between the two. eta 0 draws no noise; eta 1 over every timestep is ancestral sampling with `fixedsmall`.
 *
 * @module
 */
import { decimal, option, type OptionsOf } from "../../support/options.ts";
import type { SamplerStep } from "../moves.ts";
import type { Process } from "../process.ts";
import { between, type Level } from "../schedule.ts";
import { type SamplerRecord, type SkippingSettings, SPACING } from "./record.ts";

const ETA = {
  eta: option(
    decimal({ min: 0, max: 1 }),
    0,
    "Noise of a DDIM step: 0 = none, 1 = as ancestral",
  ),
};

/** What DDIM goes by. */
export type DdimSettings = SkippingSettings & OptionsOf<typeof ETA>;

/** See the module. */
export const DDIM = {
  description: "may skip timesteps, with as much noise as eta says",
  steps: 50,
  options: { ...ETA, ...SPACING },
  moves: ddimSteps,
} as const satisfies SamplerRecord;

/**
 * The steps of a DDIM sample.
 *
 * @throws {RangeError} if `options.steps` is not from 1 to T, or `options.eta` not in [0, 1]
 */
export function ddimSteps(options: DdimSettings, process: Process): SamplerStep[] {
  const { schedule, clipX0 } = process;
  if (!(options.eta >= 0 && options.eta <= 1)) {
    throw new RangeError(`Cannot sample with ddim: eta must lie in [0, 1], got ${options.eta}`);
  }
  const timesteps = schedule.space(options.spacing, options.steps);
  return timesteps.map((timestep, i) => {
    const previous = timesteps[i + 1] ?? schedule.clean;
    const here = schedule.at(timestep), there = schedule.at(previous);
    const noise = options.eta * Math.sqrt(there.noisePower / here.noisePower) *
      Math.sqrt(between(there, here).addedPower);
    const direction = Math.sqrt(Math.max(0, there.noisePower - noise * noise));
    const x0 = process.toX0(timestep), e = process.toNoise(timestep);
    return {
      timestep,
      previous,
      xToX0: x0.xt,
      fToX0: x0.output,
      clip: clipX0,
      noise,
      ...(e.xt === 0 && e.output === 1 && !clipX0
        ? { fromX0: there.signal, fromX: 0, fromF: direction }
        : throughX0(here, there, direction)),
    };
  });
}

/**
 * sqrt(p) x0 + direction e with e = (x - sqrt(a) x0) / sqrt(1 - a) put in, so that e agrees with a
 * clipped x0. Both shares lie in [0, 1], as a <= p: nothing cancels.
 */
function throughX0(here: Level, there: Level, direction: number) {
  const fromX = direction / here.noise;
  return { fromX0: there.signal - fromX * here.signal, fromX, fromF: 0 };
}
