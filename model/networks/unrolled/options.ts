/**
 * What a run may choose about a chain of networks.
 *
 * @module
 */
import {
  decimal,
  integer,
  list,
  nullable,
  option,
  type OptionsOf,
} from "../../../support/options.ts";

/** Keys of a config. */
export const OPTIONS = {
  stages: option(integer({ min: 2 }), 100, "Networks in the chain, evenly spaced in time"),
  blocks: option(
    list(integer({ min: 1 })),
    [16, 12, 8, 4],
    "Residual blocks on the way down, in each equal part of the timesteps, least noise first",
  ),
  channels: option(list(integer({ min: 1 })), [64, 48, 32, 16], "Width, of the same parts"),
  groups: option(
    nullable(integer({ min: 1 })),
    null,
    "Groups of every group normalisation; null = 32 where they divide the width, else one a channel",
  ),
  dropout: option(decimal({ min: 0, below: 1 }), 0.1, "Probability that an element is zeroed"),
};

/** @internal */
type Described = { name: "unrolled" } & OptionsOf<typeof OPTIONS>;

/** Options of the chain. */
export type UnrolledOptions = Described;
