/**
 * Two histograms in one picture.
 *
 * @module
 */
import type { Picture } from "../../formats/png.ts";
import { drawText, textSize } from "../shared/lettering.ts";

/** One set of numbers. */
export interface Series {
  readonly name: string;
  readonly values: ArrayLike<number>;
}

type Colour = readonly [number, number, number];

const WIDTH = 840, HEIGHT = 460;
/** The plot inside the picture. */
const LEFT = 40, RIGHT = 820, TOP = 70, BOTTOM = 400;
const BINS = 100;
const WHITE: Colour = [255, 255, 255], INK: Colour = [40, 40, 40];
const COLOURS: readonly [Colour, Colour] = [[31, 119, 180], [230, 97, 40]];
/** Share of a bar's colour over what lies below. */
const COVER = 0.6;

/**
 * Draws histograms of both sets over one axis, each with an area of one, so that sets of different
 * sizes compare. The axis ends at the 99.5 % quantile of all values; what is beyond is in the last
 * bin.
 */
export function histogramPicture(title: string, series: readonly [Series, Series]): Picture {
  const canvas = new Canvas();
  const all = series.flatMap(({ values }) => Array.from(values)).sort((a, b) => a - b);
  const low = all[0]!;
  const high = Math.max(low + 1e-12, all[Math.floor(0.995 * (all.length - 1))]!);
  const shares = series.map(({ values }) => binShares(values, low, high));
  const most = Math.max(...shares.flatMap((bins) => [...bins]));
  shares.forEach((bins, i) => {
    bins.forEach((share, bin) => {
      const x = LEFT + Math.round(bin * (RIGHT - LEFT) / BINS);
      const end = LEFT + Math.round((bin + 1) * (RIGHT - LEFT) / BINS);
      const top = BOTTOM - Math.round(share / most * (BOTTOM - TOP));
      canvas.fill(x, top, end - x, BOTTOM - top, COLOURS[i]!, COVER);
    });
  });
  canvas.fill(LEFT, BOTTOM, RIGHT - LEFT, 2, INK);
  const ticks = 5;
  for (let tick = 0; tick <= ticks; tick++) {
    const x = LEFT + Math.round(tick * (RIGHT - LEFT) / ticks);
    canvas.fill(x - 1, BOTTOM, 2, 8, INK);
    const label = (low + (high - low) * tick / ticks).toPrecision(3);
    const { width } = textSize(label, 2);
    canvas.text(label, Math.min(WIDTH - width - 4, x - Math.floor(width / 2)), BOTTOM + 14, 2, INK);
  }
  canvas.text("reconstruction error", LEFT, BOTTOM + 38, 2, INK);
  canvas.text(title, LEFT, 12, 3, INK);
  series.forEach(({ name, values }, i) => {
    const x = LEFT + i * (RIGHT - LEFT) / 2;
    canvas.fill(x, 42, 12, 12, COLOURS[i]!, COVER);
    canvas.text(`${name} (${values.length})`, x + 20, 43, 2, INK);
  });
  return { width: WIDTH, height: HEIGHT, channels: 3, data: canvas.data };
}

/** Share of the values in each bin. */
function binShares(values: ArrayLike<number>, low: number, high: number): Float64Array {
  const bins = new Float64Array(BINS);
  for (let i = 0; i < values.length; i++) {
    const bin = Math.floor((values[i]! - low) / (high - low) * BINS);
    const at = Math.min(BINS - 1, Math.max(0, bin));
    bins[at] = bins[at]! + 1 / values.length;
  }
  return bins;
}

class Canvas {
  readonly data = new Uint8Array(WIDTH * HEIGHT * 3).fill(WHITE[0]);

  fill(x: number, y: number, width: number, height: number, colour: Colour, cover = 1): void {
    for (let row = Math.max(0, y); row < Math.min(HEIGHT, y + height); row++) {
      for (let column = Math.max(0, x); column < Math.min(WIDTH, x + width); column++) {
        const at = (row * WIDTH + column) * 3;
        colour.forEach((value, c) => {
          this.data[at + c] = Math.round(cover * value + (1 - cover) * this.data[at + c]!);
        });
      }
    }
  }

  text(text: string, x: number, y: number, scale: number, colour: Colour): void {
    drawText(text, x, y, scale, (left, top) => this.fill(left, top, scale, scale, colour));
  }
}
