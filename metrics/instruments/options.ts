/**
 * What a run may choose about the instruments that watch it.
 *
 * @module
 */
import {
  choice,
  decimal,
  either,
  flag,
  integer,
  list,
  option,
  type OptionsOf,
  section,
} from "../../support/options.ts";

/** The instruments. None of them changes what is learnt. */
export const INSTRUMENTS = section("What watches the spectrum; nothing here is learnt from", {
  bandLoss: option(
    flag(),
    true,
    "Log losses by frequency band and timestep, gathered in every step",
  ),
  /** Of equal width. */
  timestepBins: option(integer({ min: 1 }), 10, "Bins of timesteps of those losses"),
  spectra: option(
    flag(),
    true,
    "Log power spectra of data, noisy images, predictions and samples with every preview",
  ),
  spectraCount: option(
    integer({ min: 2 }),
    64,
    "Training images that are noised and predicted; above 128x128 fewer, by the square of the area",
  ),
  spectraTimesteps: option(
    list(decimal({ min: 0, below: 1 })),
    [0.02, 0.05, 0.1, 0.2, 0.4, 0.7],
    "Timesteps at which they are, as shares of diffusion.timesteps",
  ),
  /** Spread over the set. */
  spectraReference: option(
    integer({ min: 2 }),
    1024,
    "Training images that samples are compared with; above 128x128 fewer, by the area",
  ),
  emergence: option(
    flag(),
    true,
    "Log how much of each frequency, and of each mode of small images, is in what previews generate",
  ),
  emergenceLooks: option(
    either(integer({ min: 0 }), choice(["auto"]), "a whole number of at least 0 or auto"),
    "auto",
    "Further previews, without a picture, at geometrically spaced steps; auto = 32 where they take " +
      "less than 1 % of the training, else 0",
  ),
  emergenceModes: option(
    integer({ min: 0 }),
    256,
    "Values of an image up to which the eigenmodes of the data's covariance are followed; their " +
      "time grows with the cube, a second or so at 256",
  ),
  memorisation: option(
    integer({ min: 0 }),
    1024,
    "Training images, spread over the set, among which copies of them are looked for; 0 = off",
  ),
});

/** Options of the instruments. */
export type InstrumentOptions = OptionsOf<typeof INSTRUMENTS>;
