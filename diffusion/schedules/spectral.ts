/**
 * Noise levels by the spectrum of the data (Esteves and Makadia 2026, arXiv 2603.19222): noise of power
 * sigma^2 hides a frequency of the power P(f), so a schedule says at which time u, 0 at the image and 1
 * at the noise, which frequency goes under,
 *
 *     frequency  f falls evenly from the highest to the lowest:  sigma^2 = P(f(u))
 *     power      the share of all power that is above f is u:    as much time as power
 *     mixed      the mean of both in log sigma^2
 *
 * between a least and a largest noise that leave nothing to gain beyond them, P of the weakest frequency
 * times `spectrumLow`, and of the strongest times `spectrumHigh`.
 *
 * Our reading, as no more than the paper's outline was at hand: P is the mean power of rings of width 1
 * around |k| = 1, 2, ... over the training set, per point of the orthonormal transform of images in
 * [-1, 1], where the paper has one for each image and tells the network of it; log P is interpolated
 * between rings, never falls towards low frequencies, and log sigma^2 is stretched evenly to its two
 * ends. Variance is preserved.
 *
 * @module
 */
import {
  type Check,
  choice,
  decimal,
  list,
  nullable,
  option,
  type OptionsOf,
} from "../../support/options.ts";
import { scheduleFromLevels } from "../schedule.ts";
import type { ScheduleRecord, ScheduleSettings } from "./record.ts";

const OPTIONS = {
  spectrum: option(
    nullable(list(decimal({ above: 0 }))),
    null,
    "spectral: mean power of the images at |k| = 1, 2, ...; deno task data SET --spectrum tells it",
  ),
  focus: option(
    choice(["mixed", "frequency", "power"]),
    "mixed",
    "spectral: as much time for each frequency, or for each share of the power, or between",
  ),
  spectrumLow: option(
    decimal({ above: 0 }),
    0.01,
    "spectral: power of the least noise, of that of the weakest frequency",
  ),
  spectrumHigh: option(
    decimal({ above: 0 }),
    100,
    "spectral: power of the largest noise, of that of the strongest frequency",
  ),
};

type Options = OptionsOf<typeof OPTIONS>;

const HINT = "deno task data SET --spectrum with the run's data options prints it";

const spectrumIsGiven: Check<ScheduleSettings & Options> = (
  { spectrum, spectrumLow, spectrumHigh },
) => {
  if (spectrum === null || spectrum.length < 2) {
    return {
      key: "scheduleOptions.spectrum",
      rule: "hold the power of at least 2 frequencies for schedule spectral",
      hint: HINT,
    };
  }
  const { least, most } = ends({ spectrum, spectrumLow, spectrumHigh });
  return least < most ? null : {
    key: "scheduleOptions.spectrumHigh",
    rule: "make the largest noise larger than the least",
  };
};

/** log sigma^2 of the least and the largest noise. */
function ends({ spectrum, spectrumLow, spectrumHigh }: Omit<Options, "focus">) {
  return {
    least: Math.log(Math.min(...spectrum!) * spectrumLow),
    most: Math.log(Math.max(...spectrum!) * spectrumHigh),
  };
}

/** The value at a place of evenly spaced ones, 0 at the first. */
function between(values: readonly number[], place: number): number {
  const first = Math.min(values.length - 2, Math.floor(place)), share = place - first;
  return values[first]! + share * (values[first + 1]! - values[first]!);
}

/** The place in an ascending list where it has a value. */
function placeOf(values: readonly number[], value: number): number {
  const after = values.findIndex((other) => other >= value);
  if (after <= 0) return after === 0 ? 0 : values.length - 1;
  const low = values[after - 1]!, high = values[after]!;
  return after - 1 + (value - low) / (high - low);
}

/** log sigma^2 at each time from 0 to 1, ascending. */
export function spectralLevels(
  { spectrum, focus, spectrumLow, spectrumHigh }: Options,
  count: number,
): number[] {
  const powers = spectrum!.toReversed(), total = powers.reduce((sum, power) => sum + power, 0);
  // From the highest frequency down, the noise never falls.
  let most = -Infinity;
  const logs = powers.map((power) => most = Math.max(most, Math.log(power)));
  // The share of the power above each place, 0 at the highest frequency and 1 at the lowest.
  let above = 0;
  const shares = powers.map((power) => (above += power) / total);
  const first = shares[0]!, sums = shares.map((share) => (share - first) / (1 - first));
  const last = powers.length - 1;
  const raw = Array.from({ length: count }, (_, t) => {
    const u = t / (count - 1);
    const even = between(logs, u * last), byPower = between(logs, placeOf(sums, u));
    return { mixed: (even + byPower) / 2, frequency: even, power: byPower }[focus];
  });
  const { least, most: largest } = ends({ spectrum, spectrumLow, spectrumHigh });
  const from = raw[0]!, span = raw.at(-1)! - from;
  return raw.map((value, t) => {
    const u = t / (count - 1);
    // A flat stretch rises a little all the same: every level must have more noise than the one before.
    const place = span > 0 ? (1 - FLAT) * (value - from) / span + FLAT * u : u;
    return least + place * (largest - least);
  });
}

/** Share of the way that is even in log sigma whatever the spectrum. */
const FLAT = 0.01;

/** See the module. */
export const SPECTRAL = {
  description: "noise levels by scheduleOptions.spectrum, the data's; betas play no part",
  options: OPTIONS,
  checks: [spectrumIsGiven],
  make(options) {
    const broken = spectrumIsGiven(options, (key) => key);
    if (broken) {
      throw new RangeError(
        `Cannot make a schedule: ${broken.key} must ${broken.rule}` +
          (broken.hint ? `; ${broken.hint}` : ""),
      );
    }
    return scheduleFromLevels(
      spectralLevels(options, options.timesteps).map((log) => ({
        signal: 1 / Math.sqrt(1 + Math.exp(log)),
        noise: 1 / Math.sqrt(1 + Math.exp(-log)),
      })),
    );
  },
} as const satisfies ScheduleRecord<Options>;
