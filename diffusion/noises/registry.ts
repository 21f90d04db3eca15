/**
 * The noise of a process: its distribution by name, and what is done to it while training.
 *
 * @module
 */
import {
  decimal,
  flag,
  option,
  type OptionsOf,
  sideBySide,
  withDefaults,
} from "../../support/options.ts";
import { GAUSSIAN } from "./gaussian.ts";
import { LAPLACE } from "./laplace.ts";
import type { DrawNoise, NoiseRecord } from "./record.ts";
import { SALT_PEPPER } from "./salt_pepper.ts";

/** A new one is a file and a line here. */
const TABLE = {
  "gaussian": GAUSSIAN,
  "laplace": LAPLACE,
  "salt-pepper": SALT_PEPPER,
} as const satisfies Readonly<Record<string, NoiseRecord<never>>>;

/** The noise in a config. */
export const NOISE = sideBySide("The noise", TABLE, {
  name: "gaussian",
  about: "Its distribution, in training and sampling",
  shared: {
    offset: option(
      decimal({ min: 0 }),
      0,
      "Training: deviation of noise that a whole channel has in common; 0 = off",
    ),
    pyramid: option(
      decimal({ min: 0, below: 1 }),
      0,
      "Training: strength of noise at each halving of the side, by the one before; 0 = off",
    ),
    perturbation: option(
      decimal({ min: 0 }),
      0,
      "Training: deviation of more noise that the network is not asked for; 0 = off",
    ),
    immiscible: option(
      flag(),
      false,
      "Training: give each image of a batch the noise that makes the distances least",
    ),
  },
});

/** @internal */
type Described = OptionsOf<typeof NOISE>;

/** Options of the noise. */
export type NoiseOptions = Described;

/** The options, with defaults for what is not given. */
export function noiseOptions(options: Partial<NoiseOptions> = {}): NoiseOptions {
  return withDefaults(NOISE, options);
}

/** What draws the distribution that the options name. */
export function noiseOf(options: NoiseOptions): DrawNoise {
  const record: NoiseRecord<never> = TABLE[options.name];
  return record.draw(options as never);
}
