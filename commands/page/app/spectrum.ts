/// <reference lib="dom" />
/**
 * The power of images by frequency beside the data's.
 *
 * @module
 */
import { RadialSpectrum } from "../../../metrics/numerics/radial_spectrum.ts";
import type { Line } from "../../../run_log/charts/plot.ts";
import type { SiteSize, SiteSpectrum } from "../site.ts";
import { Chart } from "./chart.ts";

/** Mean log power of images by ring. */
export function meanLogPower(images: Float32Array, size: SiteSize): number[] {
  const { height, width, channels } = size;
  const spectrum = new RadialSpectrum(height, width);
  const bytes = Uint8Array.from(
    images,
    (value) => Math.max(0, Math.min(255, Math.round(value * 127.5 + 127.5))),
  );
  const count = images.length / (height * width * channels);
  const features = spectrum.features({ images: bytes, count, height, width, channels });
  return Array.from({ length: spectrum.dimension }, (_, ring) => {
    let sum = 0;
    for (let i = 0; i < count; i++) sum += features[i * spectrum.dimension + ring]!;
    return sum / count;
  });
}

/** An octave of |k| with the rings that are in it. */
interface Octave {
  readonly label: string;
  readonly rings: readonly number[];
}

/** The octaves of so many rings: |k| of 1, of 2 and 3, of 4 to 7, and so on. */
export function octavesOf(rings: number): Octave[] {
  const octaves: Octave[] = [];
  for (let low = 1; low <= rings; low *= 2) {
    const high = Math.min(rings, 2 * low - 1);
    octaves.push({
      label: bandLabel(low, high),
      rings: Array.from({ length: high - low + 1 }, (_, i) => low - 1 + i),
    });
  }
  return octaves;
}

/** "|k| 4-7". */
export function bandLabel(low: number, high: number): string {
  return low === high ? `|k| ${low}` : `|k| ${low}-${high}`;
}

/** The chart of it. */
export class SpectrumChart {
  readonly #chart = new Chart(
    "Power by frequency",
    "Mean over images; |k| counts cycles along the shorter side.",
  );
  readonly element: HTMLElement = this.#chart.element;

  /** Shows images beside the data. */
  show(images: Float32Array | null, size: SiteSize, data: SiteSpectrum | null): void {
    const lines: Line[] = [];
    if (data) lines.push(lineOf("Data", null, data.mean, data.deviation));
    if (images) lines.push(lineOf("Samples", 1, meanLogPower(images, size)));
    this.#chart.show({
      lines,
      x: { label: "|k|", log: true },
      y: { label: "power", log: true },
    });
  }
}

function lineOf(
  label: string,
  colour: number | null,
  mean: readonly number[],
  deviation?: readonly number[],
): Line {
  const at = (sign: number) => mean.map((value, i) => Math.exp(value + sign * deviation![i]!));
  return {
    ...{ id: label, label, colour, dashed: colour === null },
    points: { steps: mean.map((_, i) => i + 1), values: mean.map(Math.exp) },
    ...deviation ? { low: at(-1), high: at(1) } : {},
  };
}
