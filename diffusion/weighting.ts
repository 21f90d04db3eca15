/**
 * Weightings: factors of a sample's loss by its noise level. They say what counts; what is drawn how
 * often is timesteps.ts.
 *
 * @module
 */
import type { OutputShares } from "./parameterization.ts";
import type { Level } from "./schedule.ts";

/** A weighting, for the table of them. */
export interface WeightingRecord {
  /** What counts, in a few words. */
  readonly description: string;
  /**
   * The factor of a sample's loss, which is in the network's output; null where all are 1. A factor for
   * the loss in the clean image is multiplied by the square of `toX0.output`, in the noise by that of
   * `toNoise.output`.
   */
  readonly weight:
    | ((level: Level, output: { toX0: OutputShares; toNoise: OutputShares }) => number)
    | null;
}
