/**
 * When frequencies and modes emerged in what a run generated, from the lines of its log.
 *
 * @module
 */
import type { EmergenceEvent } from "../metrics/instruments/emergence.ts";
import {
  type Emergence,
  emergenceExponent,
  emergenceOf,
  type PowerPoint,
} from "../metrics/instruments/emergence_times.ts";
import type { LineFit } from "../metrics/numerics/line_fit.ts";

/** A line of the log. */
export type EmergenceLine = EmergenceEvent & { readonly step: number };

/** A ring, or a mode, and when it emerged; null where it did not, or was there from the beginning. */
export interface Emerging {
  /** |k| of a ring, number of a mode from 1. */
  readonly place: number;
  /** The data's power, or variance. */
  readonly variance: number;
  readonly emergence: Emergence | null;
}

/** What a run's lines come to. */
export interface EmergenceSummary {
  readonly rings: readonly Emerging[];
  /** Empty where modes were not followed. */
  readonly modes: readonly Emerging[];
  /** Of modes where they were followed, else of rings. */
  readonly exponents: Exponents;
}

/** Exponents of the step against the variance: what grew and what shrank follow laws of their own. */
export interface Exponents {
  /** Of what had less power than the data at first, as from an image that is all grey. */
  readonly rising: LineFit | null;
  /** Of what had more, as from noise. */
  readonly falling: LineFit | null;
}

/** Looks below which a curve says nothing. */
export const FEWEST_LOOKS = 4;

/** Modes of less variance than this share of the largest are rounding and are left out. */
const LEAST_SHARE = 1e-5;

/** Sums up a run; null where it has looked too seldom. */
export function summarizeEmergence(lines: readonly EmergenceLine[]): EmergenceSummary | null {
  const last = lines.at(-1);
  if (!last || lines.length < FEWEST_LOOKS) return null;
  const rings = last.data.map((variance, ring): Emerging => ({
    ...{ place: ring + 1, variance },
    emergence: emergenceOf(ringPoints(lines, ring), variance),
  }));
  const modes = last.variances.map((variance, mode): Emerging => ({
    ...{ place: mode + 1, variance },
    emergence: variance > LEAST_SHARE * last.variances[0]!
      ? emergenceOf(modePoints(lines, mode), variance)
      : null,
  }));
  return { rings, modes, exponents: exponentsOf(modes.length > 0 ? modes : rings) };
}

/** A ring's power over a run. */
export function ringPoints(lines: readonly EmergenceLine[], ring: number): PowerPoint[] {
  return lines.map(({ step, power, error }) => ({
    ...{ step, power: power[ring]!, error: error[ring]! },
  }));
}

/** A mode's; the error is that of a Gaussian's variance. */
function modePoints(lines: readonly EmergenceLine[], mode: number): PowerPoint[] {
  return lines.map(({ step, count, modes }) => ({
    ...{ step, power: modes[mode]!, error: modes[mode]! * Math.sqrt(2 / count) },
  }));
}

/** The exponents of what emerged. */
export function exponentsOf(all: readonly Emerging[]): Exponents {
  const of = (direction: boolean) =>
    emergenceExponent(
      all.flatMap(({ variance, emergence }) =>
        emergence && emergence.step > 0 && emergence.rising === direction
          ? [{ variance, step: emergence.step }]
          : []
      ),
    );
  return { rising: of(true), falling: of(false) };
}
