/**
 * What the charts of a run are called and how their axes go: the report and the dashboard show the
 * same quantities in the same way. A page lets people choose linear axes; `log` is where they begin.
 *
 * @module
 */
import { type AxisOptions, octaveTicks } from "./scale.ts";

/** A chart but for its lines. */
export interface Description {
  readonly title: string;
  readonly x: AxisOptions;
  readonly y: AxisOptions;
  /** Values of y with a line across. */
  readonly rules?: readonly number[];
}

const STEPS: AxisOptions = { label: "optimiser steps" };
const LOSS: AxisOptions = { label: "loss", log: true };

export const TRAINING_LOSS: Description = { title: "Training loss", x: STEPS, y: LOSS };
export const VALIDATION_LOSS: Description = { title: "Validation loss", x: STEPS, y: LOSS };
export const BAND_LOSS: Description = {
  title: "Noise loss by |k|",
  x: { ...STEPS, log: true },
  y: { label: "loss in the noise", log: true },
};
/** The map of the noise loss. */
export const BAND_MAP_TITLE = "Noise loss by timestep and |k|";

/** Spectra over |k| = 1, 2, ..., `rings`. */
export function powerSpectra(rings: number): Description {
  return { title: "Power spectra", x: ringAxis(rings), y: { label: "power", log: true } };
}

/** Spectra of samples divided by the data's. */
export function samplesOverData(rings: number): Description {
  const y = { label: "ratio of powers", log: true, include: [0.8, 1.25] };
  return { title: "Samples over data", x: ringAxis(rings), y, rules: [1] };
}

/** |k| with ticks at its octaves. */
export function ringAxis(rings: number): AxisOptions {
  return { label: "|k| (cycles an image)", log: true, ticks: octaveTicks(Math.max(2, rings)) };
}
