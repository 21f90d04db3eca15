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
import { decimal, flag, option, type OptionsOf } from "../../support/options.ts";
import type { SamplerStep } from "../moves.ts";
import { nextOf, type NumberedLevel, type Path, pathOf, type Stop } from "../path.ts";
import type { Process } from "../process.ts";
import { between, type Level } from "../schedule.ts";
import { combine, evaluate, noiseAt } from "../shares.ts";
import { type SamplerRecord, type SkippingSettings, SPACING } from "./record.ts";

const ETA = {
  eta: option(
    decimal({ min: 0, max: 1 }),
    0,
    "Noise of a DDIM step: 0 = none, 1 = as ancestral",
  ),
};

const CLIPPED_NOISE = {
  noiseOfClipped: option(
    flag(),
    true,
    "ddim: where x0 is clipped take the noise that agrees with it, not what the network says",
  ),
};

type Amount = OptionsOf<typeof ETA> & Partial<OptionsOf<typeof CLIPPED_NOISE>>;

/** What DDIM goes by. */
export type DdimSettings = SkippingSettings & Amount;

/** See the module. */
export const DDIM = {
  description: "may skip timesteps, with as much noise as eta says",
  steps: 50,
  options: { ...ETA, ...CLIPPED_NOISE, ...SPACING },
  along: ddimMoves,
  moves: ddimSteps,
} as const satisfies SamplerRecord;

/**
 * The steps of a DDIM sample.
 *
 * @throws {RangeError} if `options.steps` is not from 1 to T, or `options.eta` not in [0, 1]
 */
export function ddimSteps(options: DdimSettings, process: Process): SamplerStep[] {
  return ddimMoves(pathOf(process, options), options);
}

/**
 * The steps along a path.
 *
 * @throws {RangeError} If `amount.eta` is not in [0, 1].
 */
export function ddimMoves(path: Path, amount: Amount): SamplerStep[] {
  if (!(amount.eta >= 0 && amount.eta <= 1)) {
    throw new RangeError(`Cannot sample with ddim: eta must lie in [0, 1], got ${amount.eta}`);
  }
  return path.stops.map((stop, i) => ddimStep(path, stop, nextOf(path, i), amount));
}

function ddimStep(
  path: Path,
  here: Stop,
  there: NumberedLevel,
  { eta, noiseOfClipped = true }: Amount,
): SamplerStep {
  const { clip } = path, to = there.level;
  const noise = eta === 0 ? 0 : eta * Math.sqrt(there.noisePower / here.noisePower) *
    Math.sqrt(between(there, here).addedPower);
  const direction = Math.sqrt(Math.max(0, there.noisePower - noise * noise));
  const plain = here.toNoise.xt === 0 && here.toNoise.output === 1;
  if (clip && !noiseOfClipped) {
    const told = combine([direction, noiseAt({ clip: false }, here)]);
    return evaluate(path, here, { to, image: { ...told, x0: there.signal }, noise });
  }
  const image = plain && !clip
    ? { x0: there.signal, x: 0, f: direction }
    : throughX0(here, there, direction);
  return evaluate(path, here, { to, image, noise });
}

/**
 * sqrt(p) x0 + direction e with e = (x - sqrt(a) x0) / sqrt(1 - a) put in, so that e agrees with a
 * clipped x0. Both shares lie in [0, 1], as a <= p: nothing cancels.
 */
function throughX0(here: Level, there: Level, direction: number) {
  const x = direction / here.noise;
  return { x0: there.signal - x * here.signal, x, f: 0 };
}
