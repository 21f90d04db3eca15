/**
 * What a run may choose about its network.
 *
 * @module
 */

/** The U-Nets that can be named in a config. */
export const MODEL_NAMES = ["ho2020"] as const;

/** A U-Net that can be named in a config. */
export type ModelName = typeof MODEL_NAMES[number];

/**
 * Options of the U-Net of Ho et al. 2020 (arXiv 2006.11239, appendix B). Image side and channels
 * come from the data.
 */
export interface UNetOptions {
  /** The network. Default "ho2020". */
  name: ModelName;
  /** Base width in channels; even and a multiple of `groups`. Default 128. */
  channels: number;
  /** Width of each resolution level, from the finest, in base widths. Default [1, 2, 2, 2]. */
  channelMultipliers: number[];
  /** Levels whose residual blocks are followed by attention, 0 = finest. Default [1]. */
  attentionLevels: number[];
  /** Residual blocks a level on the way down; one more on the way up. Default 2. */
  blocks: number;
  /** Probability that a dropout layer zeroes an element, in [0, 1). Default 0.1. */
  dropout: number;
  /** Groups of every group normalisation. Default 32. */
  groups: number;
}
