/**
 * Correction of the mismatch between noise and timestep while sampling (Yu et al. 2026, arXiv 2604.16044,
 * "differential correction in the wavelet domain", DCW): what a network gets after a step is noisier than
 * what it was trained on at that timestep, so each step is pushed on, away from the clean image that it
 * predicted, band by band (kernels/process/wavelet_correction.ts):
 *
 *     low band   x + correctLow n (x - x0)           n = noise of the level over that of the noisiest
 *     high band  x + correctHigh (1 - n) (x - x0)
 *
 * so that low frequencies are corrected early and high ones late. n is sigma / sigma_max where the
 * image's share is 1, as in the authors' code for EDM. Our reading of it for other levels is the noise's
 * own share, sqrt(1 - A_t) where variance is preserved; and of a step of several evaluations the last
 * alone is corrected, by the clean image that it predicts.
 *
 * @module
 */
import { decimal, option, type OptionsOf } from "../support/options.ts";
import { isEvaluation, type Move } from "./moves.ts";
import type { Schedule } from "./schedule.ts";

/** The options of all samplers. */
export const CORRECTION = {
  correctLow: option(
    decimal({ min: -1, max: 1 }),
    0,
    "How far steps are corrected at low frequencies, as 0.01, away from the predicted image; 0 = not",
  ),
  correctHigh: option(
    decimal({ min: -1, max: 1 }),
    0,
    "How far steps are corrected at high frequencies; 0 = not",
  ),
};

type Settings = OptionsOf<typeof CORRECTION>;

/** The moves with their corrections. */
export function corrected(
  moves: readonly Move[],
  schedule: Schedule,
  { correctLow, correctHigh }: Settings,
): Move[] {
  if (correctLow === 0 && correctHigh === 0) return [...moves];
  const most = schedule.at(schedule.values.at(-1)!).noise;
  return moves.map((move) => {
    if (!isEvaluation(move) || move.midway) return move;
    const share = schedule.at(move.timestep).noise / most;
    const correction = { low: correctLow * share, high: correctHigh * (1 - share) };
    return { ...move, correction };
  });
}
