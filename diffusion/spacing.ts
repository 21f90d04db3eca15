/**
 * Which levels a sampler that skips visits, in the order of sampling (descending). After the last one
 * comes the clean image.
 *
 * Where levels are counted, most spacings pick timesteps; those evenly spaced in a function of sigma,
 * the ratio of noise to signal, lie between timesteps, as {@linkcode Levels.at} of the schedule allows.
 *
 * @module
 */
import { betaShares } from "./beta_spacing.ts";
import { type Names, namesOf } from "./names.ts";

/** range(0, T, T // S) reversed (Song et al. 2021, official code). More than S where S does not divide T. */
function uniform(timesteps: number, steps: number): number[] {
  const stride = Math.floor(timesteps / steps);
  const ascending = [];
  for (let t = 0; t < timesteps; t += stride) ascending.push(t);
  return ascending.reverse();
}

/** int(linspace(-1, T - 1, S + 1)) without its -1, reversed (lucidrains' code). */
function linspace(timesteps: number, steps: number): number[] {
  return Array.from({ length: steps }, (_, i) =>
    // Multiplied before it is divided, so that whole numbers come out exact.
    Math.trunc((steps - i) * timesteps / steps - 1));
}

/**
 * round(T - i T / S) - 1 (Lin et al. 2024, arXiv 2305.08891, table 2): begins at T - 1. What lies half-way
 * between two goes to the side that numpy's arange, which diffusers has, takes it to.
 */
function trailing(timesteps: number, steps: number): number[] {
  const stride = (timesteps - timesteps / steps) - timesteps;
  return Array.from({ length: steps }, (_, i) => roundHalfToEven(timesteps + i * stride) - 1);
}

/** i (T // S), i from S - 1 down to 0 (diffusers): exactly S, ends at 0. */
function leading(timesteps: number, steps: number): number[] {
  const stride = Math.floor(timesteps / steps);
  return Array.from({ length: steps }, (_, i) => (steps - 1 - i) * stride);
}

/** linspace(0, last, count)[i], rounded as numpy rounds it: it decides what lies half-way between two. */
function evenly(last: number, count: number, i: number): number {
  return i === count - 1 ? last : i * (last / (count - 1));
}

/** round(linspace(0, T - 1, S)) reversed (diffusers): both ends; of one step the noisiest. */
function inclusive(timesteps: number, steps: number): number[] {
  if (steps === 1) return [timesteps - 1];
  return Array.from(
    { length: steps },
    (_, i) => roundHalfToEven(evenly(timesteps - 1, steps, steps - 1 - i)),
  );
}

/** int(linspace(0, T - 1, S)) reversed: both ends; of one step the noisiest. */
function truncated(timesteps: number, steps: number): number[] {
  if (steps === 1) return [timesteps - 1];
  return Array.from(
    { length: steps },
    (_, i) => Math.floor(evenly(timesteps - 1, steps, steps - 1 - i)),
  );
}

/** range(T - 1, -1, -(T // S)) (GenerativeZoo). More than S where S does not divide T. */
function fromLast(timesteps: number, steps: number): number[] {
  const stride = Math.floor(timesteps / steps);
  const descending = [];
  for (let t = timesteps - 1; t >= 0; t -= stride) descending.push(t);
  return descending;
}

/**
 * int(linspace(0, sqrt(0.8 T), S)^2) reversed (Song et al. 2021, official code): dense where there is
 * little noise; some timesteps may come twice there.
 */
function quadratic(timesteps: number, steps: number): number[] {
  const root = Math.sqrt(0.8 * timesteps);
  return Array.from(
    { length: steps },
    (_, i) => Math.floor(evenly(root, steps, steps - 1 - i) ** 2),
  );
}

/** Dense at both ends, by the quantiles of a beta distribution; some timesteps may come twice there. */
function beta(timesteps: number, steps: number): number[] {
  return betaShares(steps).map((share) => roundHalfToEven(share * (timesteps - 1)));
}

/** How levels are evenly spaced in sigma. */
type SigmaSpacing = (most: number, least: number, share: number, rho: number) => number;

/** Even in sigma^(1 / rho) (Karras et al. 2022, arXiv 2206.00364, equation 5). */
const karras: SigmaSpacing = (most, least, share, rho) => {
  const high = most ** (1 / rho), low = least ** (1 / rho);
  return (high + share * (low - high)) ** rho;
};

/** Even in log sigma, and so in log SNR. */
const exponential: SigmaSpacing = (most, least, share) =>
  Math.exp(Math.log(most) + share * (Math.log(least) - Math.log(most)));

/** The nearest whole number, of two the even one, as numpy and PyTorch round. */
export function roundHalfToEven(value: number): number {
  const floor = Math.floor(value);
  if (value - floor !== 0.5) return Math.round(value);
  return floor % 2 === 0 ? floor : floor + 1;
}

/** Spacings of timesteps. A new one is a function and a line here. */
const TIMESTEPS = {
  uniform,
  linspace,
  trailing,
  leading,
  inclusive,
  truncated,
  "from-last": fromLast,
  quadratic,
  beta,
} as const satisfies Readonly<Record<string, (timesteps: number, steps: number) => number[]>>;

/** Spacings in sigma. A new one is a function and a line here. */
const SIGMAS = { karras, exponential } as const satisfies Readonly<Record<string, SigmaSpacing>>;

const SPACINGS = { ...TIMESTEPS, ...SIGMAS };

/** Ways to pick the levels of a sampler that skips. */
export const SPACING_NAMES: Names<typeof SPACINGS> = namesOf(SPACINGS);

/** @internal */
type Named = keyof typeof SPACINGS;

/** A way to pick the levels of a sampler that skips. */
export type SpacingName = Named;

/** Those that pick among timesteps. */
export const TIMESTEP_SPACINGS: Names<typeof TIMESTEPS> = namesOf(TIMESTEPS);

/** Exponent of the spacing `karras` unless another is given. */
export const RHO = 7;

/** What a path goes by. */
export interface PathSettings {
  /** About how many levels; null takes every timestep. */
  readonly steps: number | null;
  /** How they are picked. */
  readonly spacing: SpacingName;
  /** Exponent of the spacing `karras`; 7 unless given. */
  readonly rho?: number;
  /** Added to the timesteps of the spacing `leading`; 0 unless given. */
  readonly offset?: number;
  /** These levels instead, descending; none unless given. */
  readonly levels?: readonly number[] | null;
  /** Whether it ends at the clean image or, where some noise stays, at the first level; clean unless given. */
  readonly end?: "clean" | "first";
}

/** What spacing needs of a schedule. */
interface SpacedSchedule {
  readonly timesteps: number;
  readonly values: Float64Array;
  readonly clean: number;
  at(level: number): { readonly signal: number; readonly noise: number };
  find(sigma: number): number;
  space(spacing: SpacingName, steps: number | null): number[];
}

/**
 * The levels of a path, descending.
 *
 * @throws {RangeError} When a setting is out of its range.
 */
export function levelsOf(schedule: SpacedSchedule, settings: PathSettings): number[] {
  const { steps, spacing, rho = RHO, offset = 0, levels } = settings;
  const { values, timesteps } = schedule;
  const most = values.at(-1)!, least = values[0]!;
  if (levels) {
    const wrong = levels.findIndex((level, i) =>
      !(level >= least && level <= most && level < (levels[i - 1] ?? Infinity))
    );
    if (wrong < 0) return [...levels];
    throw new RangeError(
      `Cannot sample at given levels: they must descend from at most ${most} to at least ${least}, ` +
        `got ${levels[wrong]} as number ${wrong + 1}`,
    );
  }
  if (spacing in SIGMAS) {
    const count = steps ?? timesteps;
    if (!Number.isInteger(count) || count < 1) {
      throw new RangeError(
        `Cannot space levels: steps must be a whole number of at least 1, got ${steps}`,
      );
    }
    const place = SIGMAS[spacing as keyof typeof SIGMAS];
    const high = sigmaOf(schedule.at(most)), low = sigmaOf(schedule.at(least));
    if (high === Infinity) {
      throw new RangeError(
        `Cannot space levels: with spacing ${spacing} the noisiest level must have some signal, it ` +
          "has none; take spacing trailing",
      );
    }
    return Array.from({ length: count }, (_, i) => {
      if (i === 0) return most;
      return i === count - 1 ? least : schedule.find(place(high, low, i / (count - 1), rho));
    });
  }
  const found = [...new Set(schedule.space(spacing, steps))];
  if (offset === 0) return found;
  if (spacing !== "leading" || found[0]! + offset > most) {
    throw new RangeError(
      `Cannot space timesteps: the offset must be 0 but for the spacing leading, and the first ` +
        `timestep with it at most ${most}, got ${offset} for ${spacing} from ${found[0]}`,
    );
  }
  return found.map((level) => level + offset);
}

/** Noise over signal. */
export function sigmaOf({ signal, noise }: { readonly signal: number; readonly noise: number }) {
  return noise / signal;
}

/**
 * About `steps` of `timesteps` timesteps, descending.
 *
 * @throws {RangeError} if `steps` is not a whole number from 1 to `timesteps`, or the spacing is not
 *   one of timesteps
 */
export function spaceTimesteps(spacing: SpacingName, timesteps: number, steps: number): number[] {
  if (!Number.isInteger(steps) || steps < 1 || steps > timesteps) {
    throw new RangeError(
      `Cannot space timesteps: steps must be a whole number from 1 to ${timesteps}, got ${steps}`,
    );
  }
  if (!(spacing in TIMESTEPS)) {
    throw new RangeError(`Cannot space timesteps: ${spacing} is a spacing of sigmas`);
  }
  return TIMESTEPS[spacing as keyof typeof TIMESTEPS](timesteps, steps);
}
