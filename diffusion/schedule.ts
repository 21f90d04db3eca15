/**
 * Noise levels: what the forward process makes of a clean image (Ho et al. 2020, arXiv 2006.11239,
 * equation 4; in general Karras et al. 2022, arXiv 2206.00364, section 2),
 *
 *     x = signal x_0 + noise e,
 *
 * and the table of those that training draws, with what follows from it. All in f64.
 *
 * A schedule need not have betas: it is defined by its signal and noise. Where levels are counted,
 * they are timesteps 0..T-1, and -1 is the clean image; where they are continuous (a sigma, a time
 * from 0 to 1), `at` takes any value, and the table is a fine grid of them that training draws from.
 *
 * @module
 */
import { spaceTimesteps, type SpacingName } from "./spacing.ts";

/** Shares of image and noise. */
export interface NoiseLevel {
  /** Of the image. */
  readonly signal: number;
  /** Of the noise: its standard deviation. */
  readonly noise: number;
}

/** A level with the squares of its shares, as the square of a root is not quite what it was. */
export interface Level extends NoiseLevel {
  /** signal^2: A_t. */
  readonly signalPower: number;
  /** noise^2: 1 - A_t where variance is preserved. */
  readonly noisePower: number;
  /**
   * Of a level at one frequency: the noise's deviation there over that of all frequencies together; 1 unless
   * given.
   */
  readonly colour?: number;
  /** Of a level at one frequency: the root of its SNR over that of ddpm; 1 unless given. */
  readonly whitening?: number;
}

/** The level of the clean image. */
export const CLEAN: Level = { signal: 1, noise: 0, signalPower: 1, noisePower: 0 };

/** Levels by the number that samplers know them by: a timestep, a sigma, a time. */
export interface Levels {
  /** The number of the clean image's level. */
  readonly clean: number;
  /**
   * The level of a number. Where levels are counted there are levels between them, too: log sigma is
   * interpolated, sigma being noise over signal.
   *
   * @throws {RangeError} When there is none.
   */
  at(level: number): Level;
  /**
   * The number of the level with a ratio of noise to signal, the inverse of `at`.
   *
   * @throws {RangeError} When there is none.
   */
  find(sigma: number): number;
  /**
   * About `steps` levels from the noisiest on, the clean one left out.
   *
   * @throws {RangeError} When `steps` is out of its range.
   */
  space(spacing: SpacingName, steps: number | null): number[];
}

/**
 * Tables of a noise schedule, each [T]. Names are those of the variance-preserving process, where
 * alpha_t + beta_t = 1; in general a step is x_t = sqrt(alpha_t) x_{t-1} + sqrt(beta_t) z, and A_t the
 * square of the signal.
 */
export interface Schedule extends Levels {
  /** Number of timesteps T. */
  readonly timesteps: number;
  /** Numbers of the rows' levels: 0..T-1 where levels are counted. */
  readonly values: Float64Array;
  /** The rows' levels. */
  readonly levels: readonly Level[];
  /**
   * What networks are told of the rows' levels, instead of the row's number; null where they are told
   * the number, as u32.
   */
  readonly condition: ((level: number) => number) | null;
  /** Standard deviation of what sampling starts from; 1 unless given. */
  readonly start?: number;
  /** Whether the levels stand for ones that are yet to be learned, so that nothing can be drawn by them. */
  readonly provisional?: boolean;
  /** The schedule of the first rows alone. */
  first(rows: number): Schedule;
  /** beta_t: the variance that a step adds. */
  readonly betas: Float64Array;
  /** alpha_t, the square of what a step keeps; 1 - beta_t where variance is preserved. */
  readonly alphas: Float64Array;
  /** A_t = alpha_0 ... alpha_t. */
  readonly alphasCumprod: Float64Array;
  /** A_{t-1}, with A_{-1} = 1. */
  readonly alphasCumprodPrev: Float64Array;
  /** sqrt(A_t): the share of x0 in x_t. */
  readonly sqrtAlphasCumprod: Float64Array;
  /** The share of noise in x_t: sqrt(1 - A_t) where variance is preserved. */
  readonly sqrtOneMinusAlphasCumprod: Float64Array;
  /** sqrt(1 / A_t). */
  readonly sqrtRecipAlphasCumprod: Float64Array;
  /** Noise over signal, sigma: sqrt(1 / A_t - 1) where variance is preserved. */
  readonly sqrtRecipm1AlphasCumprod: Float64Array;
}

/** How levels are known: see {@linkcode Schedule}. */
export type KnownLevels =
  & Omit<Levels, "find">
  & Partial<Pick<Levels, "find">>
  & Pick<Schedule, "values" | "condition" | "start" | "provisional">;

/** signal^2 + noise^2: exactly 1 where variance is preserved. */
export function totalPower({ signalPower, noisePower }: Level): number {
  return signalPower + noisePower;
}

/** Noise over signal, sigma. */
export function noiseToSignal(level: Level): number {
  return Math.sqrt(totalPower(level) / level.signalPower - 1);
}

/**
 * The forward process from one level to a noisier one: x = sqrt(keptPower) x' + sqrt(addedPower) z.
 */
export function between(from: Level, to: Level) {
  const keptPower = to.signalPower / from.signalPower;
  return { keptPower, addedPower: totalPower(to) - keptPower * totalPower(from) };
}

/**
 * The schedule that `betas` [T] define, which preserves variance (equation 2 of Ho et al.).
 *
 * @throws {RangeError} if a beta is outside (0, 1)
 */
export function scheduleFromBetas(betas: Float64Array): Schedule {
  const wrong = betas.findIndex((beta) => !(beta > 0 && beta < 1));
  if (wrong >= 0) {
    throw new RangeError(
      `Cannot make a schedule: beta ${wrong} must lie between 0 and 1, got ${betas[wrong]}`,
    );
  }
  const alphas = betas.map((beta) => 1 - beta);
  let product = 1;
  const levels = Array.from(alphas, (alpha): Level => {
    const signalPower = product *= alpha, noisePower = 1 - product;
    return {
      ...{ signal: Math.sqrt(signalPower), noise: Math.sqrt(noisePower) },
      ...{ signalPower, noisePower },
    };
  });
  return {
    ...known(levels, countedLevels),
    ...tablesOf(levels),
    betas,
    alphas,
    first: (rows) => scheduleFromBetas(betas.slice(0, rows)),
  };
}

/**
 * The schedule of given levels.
 *
 * @param levels From the least noisy to the noisiest.
 * @param know How such levels are known, and what networks are told of them; counted unless given.
 * @throws {RangeError} If a level before the last has no signal, or one is not noisier than the one
 *   before.
 */
export function scheduleFromLevels(
  levels: readonly NoiseLevel[],
  know: (levels: readonly Level[]) => KnownLevels = countedLevels,
): Schedule {
  const full = levels.map(levelOf);
  let before = CLEAN;
  const steps = full.map((level, t) => {
    const step = between(before, level);
    const hasSignal = level.signal > 0 || (level.signal === 0 && t === levels.length - 1);
    if (!(hasSignal && level.noise < Infinity && step.addedPower > 0)) {
      throw new RangeError(
        `Cannot make a schedule: level ${t} must have signal, unless it is the last, and be noisier ` +
          "than the one before, " +
          `got signal ${level.signal} and noise ${level.noise}`,
      );
    }
    before = level;
    return step;
  });
  return {
    ...known(full, know),
    ...tablesOf(full),
    betas: Float64Array.from(steps, ({ addedPower }) => addedPower),
    alphas: Float64Array.from(steps, ({ keptPower }) => keptPower),
    first: (rows) => scheduleFromLevels(levels.slice(0, rows), know),
  };
}

/** A level of given shares. */
export function levelOf({ signal, noise }: NoiseLevel): Level {
  return { signal, noise, signalPower: signal ** 2, noisePower: noise ** 2 };
}

/** Levels that are known by their number. */
function countedLevels(levels: readonly Level[]): KnownLevels {
  const timesteps = levels.length;
  return {
    clean: -1,
    values: Float64Array.from(levels, (_, t) => t),
    condition: null,
    at(t) {
      const level = t === -1 ? CLEAN : levels[t];
      if (level) return level;
      if (t > 0 && t < timesteps - 1) return interpolated(levels, t);
      throw new RangeError(
        `Cannot find a noise level: timesteps must be -1 or from 0 to ${timesteps - 1}, got ${t}`,
      );
    },
    space: (spacing, steps) => spaceTimesteps(spacing, timesteps, steps ?? timesteps),
  };
}

/** The level between two timesteps. */
function interpolated(levels: readonly Level[], t: number): Level {
  const share = t - Math.floor(t), below = levels[Math.floor(t)]!, above = levels[Math.ceil(t)]!;
  const mix = (of: (level: Level) => number) =>
    Math.exp((1 - share) * Math.log(of(below)) + share * Math.log(of(above)));
  const ratio = mix(({ noisePower, signalPower }) => noisePower / signalPower);
  const signalPower = mix(totalPower) / (1 + ratio), noisePower = signalPower * ratio;
  return {
    ...{ signal: Math.sqrt(signalPower), noise: Math.sqrt(noisePower) },
    ...{ signalPower, noisePower },
  };
}

/** Levels with a way to find them by their sigma. */
function known(levels: readonly Level[], know: (levels: readonly Level[]) => KnownLevels) {
  const own = know(levels);
  return { ...own, find: own.find ?? ((sigma: number) => findLevel(levels, own, sigma)) };
}

/** Most rounds of a search, each of which at least halves what is left on average. */
const SEARCH_ROUNDS = 200;

/**
 * The number of the level of a sigma, by false position in log sigma from the two rows around it: where
 * levels are counted the first guess is exact.
 */
function findLevel(
  levels: readonly Level[],
  { values, at }: Pick<KnownLevels, "values" | "at">,
  sigma: number,
): number {
  const logSigma = ({ noise, signal }: NoiseLevel) => Math.log(noise / signal);
  const wanted = Math.log(sigma), close = 1e-12 * Math.max(1, Math.abs(wanted));
  const last = levels.length - 1;
  for (const row of [0, last]) {
    if (Math.abs(logSigma(levels[row]!) - wanted) <= close) return values[row]!;
  }
  const row = levels.findIndex((level) => logSigma(level) >= wanted);
  if (row <= 0) {
    const [least, most] = [levels[0]!, levels[last]!].map((level) => Math.exp(logSigma(level)));
    throw new RangeError(
      `Cannot find a noise level: its sigma must be from ${least} to ${most}, got ${sigma}`,
    );
  }
  let low = values[row - 1]!, high = values[row]!, found = high;
  let below = logSigma(levels[row - 1]!) - wanted, above = logSigma(levels[row]!) - wanted;
  for (let round = 0; round < SEARCH_ROUNDS; round++) {
    const guess = low + (high - low) * below / (below - above);
    // Every other round halves, as false position may keep one end.
    found = round % 2 === 0 ? guess : (low + high) / 2;
    const off = logSigma(at(found)) - wanted;
    if (Math.abs(off) <= close) break;
    if (off < 0) [low, below] = [found, off];
    else [high, above] = [found, off];
  }
  return found;
}

function tablesOf(levels: readonly Level[]) {
  const table = (value: (level: Level, t: number) => number) => Float64Array.from(levels, value);
  return {
    timesteps: levels.length,
    levels,
    alphasCumprod: table(({ signalPower }) => signalPower),
    alphasCumprodPrev: table((_, t) => (levels[t - 1] ?? CLEAN).signalPower),
    sqrtAlphasCumprod: table(({ signal }) => signal),
    sqrtOneMinusAlphasCumprod: table(({ noise }) => noise),
    sqrtRecipAlphasCumprod: table(({ signalPower }) => Math.sqrt(1 / signalPower)),
    sqrtRecipm1AlphasCumprod: table(noiseToSignal),
  };
}
