/**
 * What a run may choose about its spectrum loss; spectral_loss.ts has the equations.
 *
 * @module
 */
import {
  type Check,
  choice,
  decimal,
  flag,
  list,
  nullable,
  option,
  type OptionsOf,
  section,
} from "../support/options.ts";

/** What the spectrum loss compares. */
export const SPECTRAL_MODE_NAMES = ["ddim", "eta", "x0", "epsilon", "printed"] as const;

/** What the spectrum loss compares. */
export type SpectralModeName = typeof SPECTRAL_MODE_NAMES[number];

/** Spectra that the spectrum loss can be taken on. */
export const SPECTRUM_NAMES = [
  "complex",
  "amplitude",
  "log1p-amplitude",
  "radial-power",
] as const;

/** A spectrum that the spectrum loss can be taken on. */
export type SpectrumName = typeof SPECTRUM_NAMES[number];

const SPECTRAL_LOSS_FIELDS = {
  lambda: option(decimal({ min: 0 }), 0, "Its weight beside the loss; 0 = off"),
  mode: option(choice(SPECTRAL_MODE_NAMES), "ddim", "What is compared"),
  spectrum: option(choice(SPECTRUM_NAMES), "complex", "On which spectrum"),
  power: option(decimal(), 1, "Exponent p of the weight |k|^p"),
  /** Octaves are 1 <= |k| < 2, 2 <= |k| < 4, ... */
  bands: option(
    nullable(list(decimal({ min: 0 }))),
    null,
    "Weights of the mean and of the octaves of |k|, the last for all above; null = |k|^p",
  ),
  allowPrinted: option(flag(), false, "Let mode printed pass, which trains nothing"),
};

/** Options of the spectrum loss. */
export type SpectralLossOptions = OptionsOf<typeof SPECTRAL_LOSS_FIELDS>;

/** Why mode "printed" is refused. */
export const PRINTED_REASON =
  "its coefficient sqrt(1 - A_{t-1}) - sqrt(1 - A_{t-1}) is identically 0, " +
  "so the network drops out of the loss and its gradient is zero; ddim and eta are what it may mean";

const printedIsMeant: Check<SpectralLossOptions> = ({ lambda, mode, allowPrinted }, at) =>
  lambda === 0 || mode !== "printed" || allowPrinted ? null : {
    key: "mode",
    rule: "be one that trains",
    hint: `${PRINTED_REASON}; ${at("allowPrinted")}=true lets it pass`,
  };

const bandsWeighSomething: Check<SpectralLossOptions> = ({ lambda, bands }) =>
  lambda === 0 || bands === null || bands.some((weight) => weight > 0)
    ? null
    : { key: "bands", rule: "have a weight above 0" };

/** The spectrum loss. */
export const SPECTRAL_LOSS = section("The spectrum loss, for t < tMax", SPECTRAL_LOSS_FIELDS, {
  checks: [printedIsMeant, bandsWeighSomething],
});
