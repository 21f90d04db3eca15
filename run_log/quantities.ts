/**
 * The numbers that a run comes down to, and their means over seeds.
 *
 * @module
 */
import { bandCurves, learningTimes } from "../metrics/instruments/learning_times.ts";
import { summarizeEmergence } from "./emergence.ts";
import { type Estimate, estimate } from "../metrics/numerics/statistics.ts";
import type { Method, RunRecord } from "./read_run.ts";

/** A number of a run. */
export interface Quantity {
  readonly key: string;
  readonly label: string;
  /** What it is, for people who read the table alone. */
  readonly about: string;
  of(run: RunRecord): number | null;
}

/** Mean of the last tenth of a band's curve. */
function finalBandLoss(run: RunRecord, band: number): number | null {
  const curve = bandCurves(run.bandLosses)[band] ?? [];
  const tail = curve.slice(-Math.max(1, Math.floor(curve.length / 10)));
  if (tail.length === 0) return null;
  return tail.reduce((sum, { loss }) => sum + loss, 0) / tail.length;
}

function timeOf(run: RunRecord, band: number, share: 0 | 1): number | null {
  const curve = bandCurves(run.bandLosses)[band];
  return curve ? learningTimes(curve)[share] ?? null : null;
}

/** Lowest octave of |k|, from 1 on, and the highest that is a whole ring, n/4 to n/2. */
function bandsOf(run: RunRecord): { low: number; high: number } {
  const bands = run.bandLosses[0]?.bands ?? [];
  // The last band is the corners of the plane, where the side is a power of two.
  return { low: 1, high: Math.max(1, bands.length - 2) };
}

/** The highest octave of whole rings; the ring |k| = n / 2 alone is no octave. */
function highestOctave<Band extends { readonly from: number }>(
  bands: readonly Band[] | undefined,
): Band | undefined {
  return bands && (bands.length > 1 ? bands.at(-2) : bands.at(-1));
}

/** The table's columns. */
export const QUANTITIES: readonly Quantity[] = [
  {
    key: "distance",
    label: "spectral distance",
    about: "Frechet distance of the log radial spectra of samples and data",
    of: ({ final }) => final?.samples.distance ?? null,
  },
  {
    key: "highBandError",
    label: "high-band error",
    about: "root mean square over n/4 < |k| ≤ n/2 of ln(power of samples / power of data)",
    of: ({ final }) => final?.samples.highBandError ?? null,
  },
  {
    key: "highBandBias",
    label: "high-band bias",
    about: "mean of the same logarithm; negative where samples lack detail",
    of: ({ final }) => final?.samples.highBandBias ?? null,
  },
  {
    key: "exponent",
    label: "exponent",
    about: "exponent a of the power law |k|^-a that fits the samples best",
    of: ({ final }) => final?.samples.exponent ?? null,
  },
  {
    key: "psdError",
    label: "PSD error, dB",
    about: "root mean square over |k| of 10 log10(power of samples / power of data)",
    of: ({ final }) => final?.samples.psdError ?? null,
  },
  {
    key: "highBandRatio",
    label: "high-band energy",
    about: "energy of samples over that of data at n/4 < |k| ≤ n/2",
    of: ({ final }) => final?.samples.highBandRatio ?? null,
  },
  {
    key: "classifier",
    label: "classifier",
    about: "held-out accuracy of a logistic regression that tells samples from data by their log " +
      "spectra; 0.5 is chance",
    of: ({ final }) => final?.classifier?.whole.accuracy ?? null,
  },
  {
    key: "classifierHigh",
    label: "classifier, high",
    about: "the same by the highest whole octave alone",
    of: ({ final }) => highestOctave(final?.classifier?.bands)?.accuracy ?? null,
  },
  {
    key: "emergenceRising",
    label: "emergence, rising",
    about:
      "exponent of the step at which a mode (or |k|) emerges in samples, against its variance " +
      "in the data, of those that had too little power at first; near −1 in linear networks, 0 " +
      "where all come at once",
    of: ({ emergence }) => summarizeEmergence(emergence)?.exponents.rising?.slope ?? null,
  },
  {
    key: "emergenceFalling",
    label: "emergence, falling",
    about: "the same of those that had too much",
    of: ({ emergence }) => summarizeEmergence(emergence)?.exponents.falling?.slope ?? null,
  },
  {
    key: "copies",
    label: "copies",
    about:
      "share of samples whose nearest training image is less than a third as far as the second",
    of: ({ final }) => final?.memorisation?.copies ?? null,
  },
  {
    key: "valLoss",
    label: "validation loss",
    about: "loss of the averaged weights on held-out images, timesteps uniform",
    of: ({ valLosses }) => valLosses.at(-1)?.loss ?? null,
  },
  {
    key: "lowBandLoss",
    label: "low-band loss",
    about: "noise loss at 1 ≤ |k| < 2, all bins of timesteps alike, last tenth of the run",
    of: (run) => finalBandLoss(run, bandsOf(run).low),
  },
  {
    key: "highBandLoss",
    label: "high-band loss",
    about: "the same in the highest whole octave",
    of: (run) => finalBandLoss(run, bandsOf(run).high),
  },
  {
    key: "lowBandTime",
    label: "steps to 90 %, low",
    about: "steps until the low-band loss has gone nine tenths of its way",
    of: (run) => timeOf(run, bandsOf(run).low, 1),
  },
  {
    key: "highBandTime",
    label: "steps to 90 %, high",
    about: "the same of the high-band loss",
    of: (run) => timeOf(run, bandsOf(run).high, 1),
  },
];

/** The numbers of a method's runs, those that have one. */
export function valuesOf({ runs }: Method, { of }: Quantity): number[] {
  return runs.flatMap((run) => of(run) ?? []);
}

/** A method's number: its mean over seeds. */
export function estimateOf(method: Method, quantity: Quantity): Estimate | null {
  return estimate(valuesOf(method, quantity));
}

/** Differences from another method at the same seeds. */
export function pairedDifferences(method: Method, base: Method, { of }: Quantity): number[] {
  return method.runs.flatMap((run) => {
    const other = base.runs.find(({ seed }) => seed === run.seed);
    const [own, theirs] = [of(run), other ? of(other) : null];
    return own === null || theirs === null ? [] : [own - theirs];
  });
}

/** A number with as many digits as its uncertainty leaves, three at least. */
export function formatEstimate(value: Estimate | null): string {
  if (value === null) return "–";
  const { mean, halfWidth } = value;
  if (halfWidth === null) return formatNumber(mean);
  return `${formatNumber(mean)} ± ${formatNumber(halfWidth, 2)}`;
}

/** A probability, as tables have it. */
export function formatProbability(p: number | null): string {
  if (p === null) return "–";
  return p < 1e-3 ? "< 0.001" : p.toPrecision(2);
}

/** A number of three digits, minus signs as they are printed. */
export function formatNumber(value: number, digits = 3): string {
  const size = Math.abs(value);
  const text = size !== 0 && (size < 1e-3 || size >= 1e6)
    ? value.toExponential(digits - 1)
    : size >= 10 ** digits
    ? value.toFixed(0)
    : value.toPrecision(digits);
  return text.replaceAll("-", "−");
}
