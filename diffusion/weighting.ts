/**
 * Weightings: factors of a sample's loss by its noise level. They say what counts; what is drawn how
 * often is timesteps/.
 *
 * @module
 */
import type { FieldTable } from "../support/options.ts";
import type { DataSettings, OutputShares } from "./parameterization.ts";
import type { Level } from "./schedule.ts";

/** What a factor may go by. */
export interface WeightedOutput {
  /** The clean image that what the loss compares implies: the network's output, or as `lossOn` says. */
  readonly toX0: OutputShares;
  /** The noise that it implies. */
  readonly toNoise: OutputShares;
}

/** A weighting, for the table of them, with options of its own. */
export interface WeightingRecord<O = unknown> {
  /** What counts, in a few words. */
  readonly description: string;
  /** Options of its own; none unless given. */
  readonly options?: FieldTable;
  /**
   * The factor of a sample's loss, which is in the network's output; null where all are 1. A factor for
   * the loss in the clean image is multiplied by the square of `toX0.output`, in the noise by that of
   * `toNoise.output`.
   */
  readonly weight:
    | ((level: Level, output: WeightedOutput, options: O & DataSettings) => number)
    | null;
}

/** Signal to noise, as powers. */
export function snrOf({ signalPower, noisePower }: Level): number {
  return signalPower / noisePower;
}
