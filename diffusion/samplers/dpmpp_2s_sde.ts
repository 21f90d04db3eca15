/**
 * DPM-Solver++(2S) of the reverse SDE (k-diffusion's `sample_dpmpp_sde` with r = 1/2, in the notation of Lu,
 * Zhou, Bao, Chen, Li and Zhu 2022, arXiv 2211.01095): the network is asked again half way in
 * l = log(signal / noise), where noise has been added, and that x0 is taken for the whole step. With a the
 * signal, s the noise, k = exp(-2 (l_m - l)) and k' = exp(-2 (l' - l_m)),
 *
 *     x_m = k a_m / a x + a_m (1 - k) x0(x) + s_m sqrt(1 - k) z
 *     x'  = k' a' / a_m x_m + a' (1 - k k') x0(x_m) - a' k' (1 - k) x0(x) + s' sqrt(1 - k') z'
 *
 * The noise of the first half is part of that of the step: both follow one path of the SDE. The step to the
 * clean image, where l is infinite, is of first order, as is one whose middle the network cannot be asked
 * about.
 *
 * @module
 */
import type { SamplerStep } from "../moves.ts";
import { lambdaOf, nextOf, type NumberedLevel, type Path } from "../path.ts";
import { combine, DATA, DATA_BEFORE, evaluate, IMAGE } from "../shares.ts";
import { onPath, type SamplerRecord, SPACING } from "./record.ts";

/** See the module. */
export const DPMPP_2S_SDE = {
  description: "two evaluations a step, with fresh noise",
  steps: 20,
  options: SPACING,
  moves: onPath(singlestepSde),
} as const satisfies SamplerRecord;

/** The steps along a path. */
export function singlestepSde(path: Path): SamplerStep[] {
  return path.stops.flatMap((stop, i) => {
    const next = nextOf(path, i), middleLambda = (lambdaOf(stop) + lambdaOf(next)) / 2;
    const middle = Number.isFinite(middleLambda) ? path.at(Math.exp(-middleLambda)) : null;
    const first = towards(stop, middle ?? next);
    const start = evaluate(path, stop, {
      ...{ to: (middle ?? next).level, noise: first.noise },
      image: combine([first.image, IMAGE], [first.data, DATA]),
      ...middle && { midway: true },
    });
    if (!middle) return [start];
    const second = towards(middle, next), whole = towards(stop, next);
    return [
      start,
      evaluate(path, middle, {
        ...{ to: next.level, noise: second.noise },
        image: combine(
          [second.image, IMAGE],
          [whole.data, DATA],
          [-second.image * first.data, DATA_BEFORE],
        ),
      }),
    ];
  });
}

/** What a step of first order makes of the image and of x0, and its noise. */
function towards(here: NumberedLevel, there: NumberedLevel) {
  const { signal, noise } = there;
  // k from one level to the other, by the ratio of noise to signal.
  const left = (noise * here.signal / (signal * here.noise)) ** 2;
  return {
    image: noise ** 2 * here.signal / (signal * here.noise ** 2),
    data: signal * (1 - left),
    noise: noise * Math.sqrt(1 - left),
  };
}
