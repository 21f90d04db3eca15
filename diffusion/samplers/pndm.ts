/**
 * PNDM (Liu, Ren, Lin and Zhao 2022, arXiv 2202.09778): the transfer of DDIM from level to level with
 * a noise of higher order, by Adams and Bashforth's formulas over the last four predictions (algorithm 2,
 * PLMS). Without earlier ones it starts as Stable Diffusion's code does, by one step of second order
 * that costs an evaluation more; `rungeKutta` starts with three steps of fourth order instead, as in the
 * paper (equation 13).
 *
 * The formulas are those of equal steps in the timestep: spacings of sigmas are refused.
 *
 * @module
 */
import { flag, option, type OptionsOf } from "../../support/options.ts";
import type { SamplerStep, Shares } from "../moves.ts";
import { nextOf, type NumberedLevel, type Path, type Stop } from "../path.ts";
import { combine, evaluate, IMAGE, kept, noiseAt, type Weighted } from "../shares.ts";
import { onPath, type SamplerRecord, type SkippingSettings, SPACING } from "./record.ts";

const START = {
  rungeKutta: option(flag(), false, "pndm: start with three steps of fourth order"),
};

/** What it goes by. */
type Settings = Partial<OptionsOf<typeof START>>;

/** See the module. */
export const PNDM = {
  description: "skips far, without noise, over equal steps",
  steps: 20,
  extrapolates: true,
  options: { ...SPACING, ...START },
  along: evenMoves,
  moves: onPath<SkippingSettings & Settings>(evenMoves),
} as const satisfies SamplerRecord;

/** Adams and Bashforth's weights by order, of the newest prediction first. */
const ADAMS: readonly (readonly number[])[] = [
  [1],
  [3 / 2, -1 / 2],
  [23 / 12, -16 / 12, 5 / 12],
  [55 / 24, -59 / 24, 37 / 24, -9 / 24],
];
/** Steps of fourth order that give enough predictions to go on with. */
const STARTERS = 3;
/** Registers: three predictions, the image that a step began with, and the sum of its predictions. */
const BEGUN = 3, SUM = 4;

/** How {@linkcode pndmMoves} goes. */
export interface PndmSettings extends Settings {
  /**
   * The prediction that is kept, and the noise that a combination of such stands for at a stop; the
   * noise itself unless given.
   */
  readonly reads?: {
    kept(stop: Stop): Shares;
    noise(stop: Stop, combination: Shares, image: Shares): Shares;
  };
  /** The stop half way of a step, and where the image goes for it: the level half way unless given. */
  middle?(from: Stop, to: NumberedLevel): { readonly asked: Stop; readonly reached: NumberedLevel };
  /**
   * Between which levels the first step goes again, with what is said at the second stop; between those
   * that it went, if it went to that stop, unless given.
   */
  again?(second: Stop): { readonly from: Stop; readonly to: NumberedLevel };
}

/** As {@linkcode pndmMoves}, on a path of equal steps. */
function evenMoves(path: Path, settings: Settings): SamplerStep[] {
  const levels = path.stops.map(({ level }) => level);
  const gaps = levels.slice(1).map((level, i) => levels[i]! - level);
  const uneven = gaps.find((gap) => Math.abs(gap - gaps[0]!) > 1 + 1e-9 * Math.abs(gap));
  if (uneven === undefined) return pndmMoves(path, settings);
  throw new RangeError(
    `Cannot sample with pndm: its steps must be equal, got one of ${uneven} after one of ${
      gaps[0]
    }; ` +
      "take spacing uniform or trailing, or the sampler lms",
  );
}

/** The steps along a path. */
export function pndmMoves(path: Path, settings: PndmSettings): SamplerStep[] {
  const reads = settings.reads ?? {
    kept: (stop: Stop) => noiseAt(path, stop),
    noise: (_: Stop, combination: Shares) => combination,
  };
  const { stops } = path;
  const starters = settings.rungeKutta ? Math.min(STARTERS, stops.length - 1) : 0;
  const moves: SamplerStep[] = [];
  for (const [i, stop] of stops.entries()) {
    const next = nextOf(path, i), now = reads.kept(stop);
    if (i < starters) {
      moves.push(...fourthOrder(path, i, { ...settings, reads }));
      continue;
    }
    const keep = [now, i > 0 ? kept(0) : null, i > 1 ? kept(1) : null];
    if (i === 0) {
      const image = transfer(stop, next, IMAGE, reads.noise(stop, now, IMAGE));
      const here = stops[1];
      const same = here?.level === next.level ? { from: stop, to: next } : null;
      const again = here && settings.again ? settings.again(here) : same;
      const midway = again !== null;
      moves.push(evaluate(path, stop, { to: next.level, image, keep: [...keep, IMAGE], midway }));
      if (!here || !again) continue;
      // The same step again, with the mean of both ends.
      const mean = combine([1 / 2, kept(0)], [1 / 2, reads.kept(here)]);
      moves.push(evaluate(path, here, {
        to: again.to.level,
        image: transfer(
          ...[again.from, again.to, kept(BEGUN)] as const,
          reads.noise(again.from, mean, kept(BEGUN)),
        ),
      }));
      continue;
    }
    const weights = ADAMS[Math.min(i, ADAMS.length - 1)]!;
    const terms = weights.map((weight, ago): Weighted => [weight, ago === 0 ? now : kept(ago - 1)]);
    const noise = reads.noise(stop, combine(...terms), IMAGE);
    moves.push(evaluate(path, stop, {
      ...{ to: next.level, image: transfer(stop, next, IMAGE, noise), keep },
    }));
  }
  return moves;
}

/** A step of fourth order: four evaluations, of which the first is kept for the formulas. */
function fourthOrder(
  path: Path,
  i: number,
  { reads, middle }: PndmSettings & { readonly reads: PndmSettings["reads"] & object },
): SamplerStep[] {
  const from = path.stops[i]!, to = path.stops[i + 1]!;
  const half = path.stop((from.level + to.level) / 2);
  const { asked, reached } = middle?.(from, to) ?? { asked: half, reached: half };
  const go = (there: NumberedLevel, combination: Shares, image: Shares) =>
    transfer(from, there, image, reads.noise(from, combination, image));
  const first = reads.kept(from), inner = reads.kept(asked), last = reads.kept(to);
  const shift = [first, i > 0 ? kept(0) : null, i > 1 ? kept(1) : null];
  const summed = (
    share: number,
    of: Shares,
  ) => [null, null, null, null, combine([1, kept(SUM)], [share, of])];
  return [
    evaluate(path, from, {
      ...{ to: reached.level, image: go(reached, first, IMAGE) },
      keep: [...shift, IMAGE, combine([1 / 6, first])],
      midway: true,
    }),
    evaluate(path, asked, {
      ...{ to: asked.level, image: go(asked, inner, kept(BEGUN)), keep: summed(1 / 3, inner) },
      midway: true,
    }),
    evaluate(path, asked, {
      ...{ to: to.level, image: go(to, inner, kept(BEGUN)), keep: summed(1 / 3, inner) },
      midway: true,
    }),
    evaluate(path, to, {
      to: to.level,
      image: go(to, combine([1, kept(SUM)], [1 / 6, last]), kept(BEGUN)),
    }),
  ];
}

/** DDIM's step (equation 11): the image at another level that has the same x0 and noise. */
function transfer(from: Stop, to: NumberedLevel, image: Shares, noise: Shares): Shares {
  const ratio = to.signal / from.signal;
  return combine([ratio, image], [to.noise - from.noise * ratio, noise]);
}
