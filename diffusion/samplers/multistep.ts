/**
 * Linear multistep methods: the next image is a combination of this one, of what the network predicts,
 * and of what it predicted before,
 *
 *     x' = image x + sum_j predictions_j m_j + noise z,
 *
 * m_0 being the prediction at hand and m_j that of j evaluations ago: of x0, or of the noise.
 *
 * @module
 */
import type { SamplerStep, Shares } from "../moves.ts";
import { nextOf, type Path, type Stop } from "../path.ts";
import {
  combine,
  DATA,
  DATA_BEFORE,
  evaluate,
  IMAGE,
  kept,
  noiseAt,
  type Weighted,
} from "../shares.ts";

/** What is predicted: the clean image, or the noise. */
export type Predicted = "data" | "noise";

/** The coefficients of a step. */
export interface MultistepShares {
  readonly image: number;
  /** From the prediction at hand back. */
  readonly predictions: readonly number[];
  readonly noise?: number;
}

/** Where predictions are found. */
export interface History {
  /** The prediction of `ago` evaluations ago; 0 is at hand. */
  prediction(ago: number): Shares;
  /** What registers become so that it stays so, from `first` on. */
  readonly keep: readonly (Shares | null)[];
}

/**
 * The history of the `depth` last predictions at a stop.
 *
 * @param seen Predictions before this one.
 * @param first The register of the first that is kept; 0 unless given.
 */
export function historyAt(
  path: Path,
  stop: Stop,
  { predicted, depth, seen, first = 0 }: {
    readonly predicted: Predicted;
    readonly depth: number;
    readonly seen: number;
    readonly first?: number;
  },
): History {
  // The x0 of the evaluation before is there without being kept.
  const free = predicted === "data" ? 1 : 0;
  const prediction = (ago: number): Shares => {
    if (ago === 0) return predicted === "data" ? DATA : noiseAt(path, stop);
    return ago === 1 && free === 1 ? DATA_BEFORE : kept(first + ago - 1 - free);
  };
  const registers = Math.max(0, depth - 1 - free);
  const keep = Array.from(
    { length: registers },
    (_, i) => i + free <= seen ? prediction(i + free) : null,
  );
  return { prediction, keep };
}

/** The moves of a method along a path, given the coefficients of its steps. */
export function multistep(
  path: Path,
  { predicted, depth }: { readonly predicted: Predicted; readonly depth: number },
  sharesOf: (step: number) => MultistepShares,
): SamplerStep[] {
  return path.stops.map((stop, i) => {
    const { image, predictions, noise = 0 } = sharesOf(i);
    const { prediction, keep } = historyAt(path, stop, { predicted, depth, seen: i });
    const terms = predictions.map((share, ago): Weighted => [share, prediction(ago)]);
    return evaluate(path, stop, {
      ...{ to: nextOf(path, i).level, noise },
      image: combine([image, IMAGE], ...terms),
      ...keep.length > 0 && { keep },
    });
  });
}
