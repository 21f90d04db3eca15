/**
 * DPM-Solver++(1S) and (2S) (Lu, Zhou, Bao, Chen, Li and Zhu 2022, arXiv 2211.01095, algorithm 1 with
 * r = 1/2): no step needs another one. The first is DDIM without noise; the second asks the network
 * again half way in l = log(signal / noise) and takes that x0 for the whole step,
 *
 *     u  = s_m / s x - a_m (exp(-h / 2) - 1) x0(x),
 *     x' = s' / s x - a' (exp(-h) - 1) x0(u).
 *
 * The step to the clean image, where h is infinite, is of first order, as is one from a level without
 * signal and one whose middle the network cannot be asked about.
 *
 * @module
 */
import type { SamplerStep, Shares } from "../moves.ts";
import { lambdaOf, nextOf, type NumberedLevel, type Path } from "../path.ts";
import { combine, DATA, evaluate, IMAGE, kept } from "../shares.ts";
import { onPath, type SamplerRecord, SPACING } from "./record.ts";

/** First order. */
export const DPMPP_1S = {
  description: "one evaluation a step, without noise: ddim with eta 0",
  steps: 50,
  options: SPACING,
  along: (path) => singlestep(path, 1),
  moves: onPath((path) => singlestep(path, 1)),
} as const satisfies SamplerRecord;

/** Second order. */
export const DPMPP_2S = {
  description: "two evaluations a step, without noise",
  steps: 20,
  options: SPACING,
  along: (path) => singlestep(path, 2),
  moves: onPath((path) => singlestep(path, 2)),
} as const satisfies SamplerRecord;

/** The steps along a path. */
export function singlestep(path: Path, order: 1 | 2): SamplerStep[] {
  return path.stops.flatMap((stop, i) => {
    const next = nextOf(path, i);
    const h = lambdaOf(next) - lambdaOf(stop);
    const middle = order === 1 || next.noise === 0 || stop.signal === 0
      ? null
      : path.at(Math.exp(-lambdaOf(stop) - h / 2));
    const whole = (from: Shares) => towards(stop, next, from);
    if (!middle) return [evaluate(path, stop, { to: next.level, image: whole(IMAGE) })];
    return [
      evaluate(path, stop, {
        ...{ to: middle.level, image: towards(stop, middle, IMAGE), keep: [IMAGE] },
        midway: true,
      }),
      evaluate(path, middle, { to: next.level, image: whole(kept(0)) }),
    ];
  });
}

/** A step of first order from an image at one level to another level, along the x0 at hand. */
function towards(here: NumberedLevel, there: NumberedLevel, image: Shares): Shares {
  const ratio = there.noise / here.noise;
  return combine([ratio, image], [there.signal - here.signal * ratio, DATA]);
}
