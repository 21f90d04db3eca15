/**
 * Discretisations, schedules and scalings of Karras et al. 2022 (arXiv 2206.00364, table 1), as the
 * authors' ablation_sampler has them.
 *
 * @module
 */
import type { Coordinates } from "../../diffusion/samplers/runge_kutta.ts";
import { roundHalfToEven, sigmaOf } from "../../diffusion/spacing.ts";
import { evenly } from "./diffusers_noise.ts";
import { Unsupported } from "./golden.ts";

type Options = Readonly<Record<string, unknown>>;
type Range = readonly [least: number, most: number];

/** Even in sigma^(1 / rho), descending. */
export function karrasSigmas([least, most]: Range, steps: number, rho: number): number[] {
  return evenly(most ** (1 / rho), least ** (1 / rho), steps).map((root) => root ** rho);
}

/** The nearest value of a table. */
export function nearest(table: ArrayLike<number>, value: number): number {
  return Array.from(table).reduce((best, other) =>
    Math.abs(other - value) < Math.abs(best - value) ? other : best
  );
}

/** A schedule: sigma by time, its derivative, and time by sigma. */
interface Schedule {
  sigma(time: number): number;
  slope(time: number): number;
  time(sigma: number): number;
}

/** That of the VP SDE. */
function vp(betaD: number, betaMin: number): Schedule {
  const sigma = (t: number) => Math.sqrt(Math.expm1(0.5 * betaD * t ** 2 + betaMin * t));
  return {
    sigma,
    slope: (t) => 0.5 * (betaMin + betaD * t) * (sigma(t) + 1 / sigma(t)),
    // Of two roots the larger; without noise it is 0, which is the other where betaMin is below 0.
    time: (value) =>
      value === 0
        ? 0
        : (Math.sqrt(betaMin ** 2 + 2 * betaD * Math.log1p(value ** 2)) - betaMin) / betaD,
  };
}

const VE: Schedule = {
  sigma: Math.sqrt,
  slope: (t) => 0.5 / Math.sqrt(t),
  time: (sigma) => sigma ** 2,
};
const LINEAR: Schedule = { sigma: (t) => t, slope: () => 1, time: (sigma) => sigma };

/** The VP schedule whose sigmas at `epsilon` and 1 are given. */
function vpBetween([least, most]: Range, epsilon: number): Schedule {
  const low = Math.log1p(least ** 2), high = Math.log1p(most ** 2);
  const betaD = 2 * (low / epsilon - high) / (epsilon - 1);
  return vp(betaD, high - 0.5 * betaD);
}

/** The sigmas of a discretisation. */
export const ablationSigmas = {
  /** Its range, before what the network supports. */
  range(kwargs: Options): Range {
    const standard = vp(19.9, 0.1), epsilon = Number(kwargs.epsilon_s);
    const ranges: Readonly<Record<string, Range>> = {
      vp: [standard.sigma(epsilon), standard.sigma(1)],
      ve: [0.02, 100],
      iddpm: [0.002, 81],
      edm: [0.002, 80],
    };
    const range = ranges[String(kwargs.discretization)];
    if (!range) throw new Unsupported(`discretization ${kwargs.discretization} is not known`);
    const given = (key: string, own: number) => kwargs[key] === null ? own : Number(kwargs[key]);
    return [given("sigma_min", range[0]), given("sigma_max", range[1])];
  },

  steps(kwargs: Options, range: Range): number[] {
    const [least, most] = range, steps = Number(kwargs.num_steps);
    const epsilon = Number(kwargs.epsilon_s);
    switch (kwargs.discretization) {
      case "vp":
        return evenly(1, epsilon, steps).map(vpBetween(range, epsilon).sigma);
      case "ve":
        return evenly(0, 1, steps).map((share) =>
          Math.sqrt(most ** 2 * (least ** 2 / most ** 2) ** share)
        );
      case "iddpm": {
        const table = iddpmTable(kwargs).filter((u) => u >= least && u <= most);
        return evenly(0, table.length - 1, steps).map((at) => table[roundHalfToEven(at)]!);
      }
      default:
        return karrasSigmas(range, steps, Number(kwargs.rho));
    }
  },
};

/** Descending sigmas of improved DDPM, whose cumulative products the recorded code has in f32. */
function iddpmTable(kwargs: Options): number[] {
  const count = Number(kwargs.M), c1 = Number(kwargs.C_1), c2 = Number(kwargs.C_2);
  const f = Math.fround;
  const alphaBar = (j: number) => {
    const angle = f(f(f(f(0.5 * Math.PI) * j) / count) / f(c2 + 1));
    return f(f(Math.sin(angle)) ** 2);
  };
  const u = new Array<number>(count + 1).fill(0);
  for (let j = count; j > 0; j--) {
    const ratio = Math.max(f(c1), f(alphaBar(j - 1) / alphaBar(j)));
    u[j - 1] = Math.sqrt((u[j]! ** 2 + 1) / ratio - 1);
  }
  return u;
}

/** How a schedule and a scaling go: signal by sigma, and the coordinates in which a step is straight. */
export function ablationSchedule(kwargs: Options, range: Range): {
  signal(sigma: number): number;
  readonly coordinates: Coordinates;
} {
  const schedules: Readonly<Record<string, Schedule>> = {
    vp: vpBetween(range, Number(kwargs.epsilon_s)),
    ve: VE,
    linear: LINEAR,
  };
  const schedule = schedules[String(kwargs.schedule)];
  const isVp = kwargs.scaling === "vp";
  if (!schedule || !(isVp || kwargs.scaling === "none")) {
    throw new Unsupported(`schedule ${kwargs.schedule}, scaling ${kwargs.scaling} is not known`);
  }
  const signal = (sigma: number) => isVp ? 1 / Math.sqrt(1 + sigma ** 2) : 1;
  return {
    signal,
    coordinates: {
      scale: () => 1,
      time: (level) => schedule.time(sigmaOf(level)),
      sigma: schedule.sigma,
      slope(level) {
        const sigma = sigmaOf(level),
          s = signal(sigma),
          slope = schedule.slope(schedule.time(sigma));
        const ofSignal = isVp ? -sigma * slope * s ** 3 : 0;
        return { x0: ofSignal, noise: ofSignal * sigma + s * slope };
      },
    },
  };
}
