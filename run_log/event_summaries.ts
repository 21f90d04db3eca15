/**
 * From lines of a run's log to what TensorBoard shows: the one place that knows the tags.
 *
 * @module
 */
import type { EventImage, EventValue } from "../formats/tfevents.ts";
import type { BandLossEvent } from "../metrics/instruments/band_loss.ts";
import { bandMeans } from "../metrics/instruments/learning_times.ts";
import type { SpectraEvent } from "../metrics/instruments/spectra.ts";
import type { LogEvent } from "../training/log.ts";
import { bandLabels } from "./charts/figures.ts";

/** What lines name but do not hold. */
export interface LineSources {
  /** The picture at a path relative to the run's folder; null where there is none. */
  picture(file: string): EventImage | null;
  /** Numbers of the evaluation after so many steps, by "weights/metric". */
  evaluation(step: number): ReadonlyMap<string, number>;
}

const TAGS: Readonly<Record<string, string>> = {
  loss: "loss/training",
  valLoss: "loss/validation",
  lr: "optimiser/learning rate",
  gradNorm: "optimiser/gradient norm",
  lossScale: "optimiser/loss scale",
  skippedSteps: "optimiser/skipped steps",
  imagesPerSecond: "speed/images per second",
};

/** What a line says, by tag; nothing for lines about files that are no pictures. */
export function summariesOf(line: LogEvent, sources: LineSources): EventValue[] {
  const values = Object.entries(TAGS).flatMap(([field, tag]) =>
    scalar(tag, (line as unknown as Record<string, unknown>)[field])
  );
  switch (line.event) {
    case "sample": {
      const image = line.file === undefined ? null : sources.picture(line.file);
      return image ? [...values, { tag: "samples", image }] : values;
    }
    case "evaluation":
      for (const [name, value] of sources.evaluation(line.step)) {
        values.push({ tag: `metrics/${name}`, scalar: value });
      }
      return values;
    case "bandLoss":
      return [...values, ...bandValues(line as unknown as BandLossEvent)];
    case "spectra":
      return [...values, ...spectraValues(line as unknown as SpectraEvent)];
    default:
      return values;
  }
}

/** The config as a text of Markdown. */
export function configSummary(text: string): EventValue {
  return { tag: "config", text: `\`\`\`json\n${text.trimEnd()}\n\`\`\`` };
}

function scalar(tag: string, value: unknown): EventValue[] {
  return typeof value === "number" ? [{ tag, scalar: value }] : [];
}

/** Loss in the noise by band of |k|, all bins of timesteps alike. */
function bandValues({ bands, epsilon }: BandLossEvent): EventValue[] {
  const labels = bandLabels(bands);
  return bandMeans(epsilon).flatMap((value, band) =>
    Number.isFinite(value) ? scalar(`noise loss by frequency/${labels[band]}`, value) : []
  );
}

function spectraValues({ samples }: SpectraEvent): EventValue[] {
  if (!samples) return [];
  return [
    ...scalar("spectra/distance to data", samples.distance),
    ...scalar("spectra/error of the highest octave", samples.highBandError),
    ...scalar("spectra/exponent", samples.exponent),
  ];
}
