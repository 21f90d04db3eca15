/**
 * Simple filled shapes with smooth edges.
 *
 * @module
 */
import type { RandomStream } from "../random_stream.ts";

/** Whether a point is inside; the shape fills about -1 to 1. */
type Inside = (x: number, y: number) => boolean;

const SHAPES: readonly (readonly [name: string, inside: Inside])[] = [
  ["disc", (x, y) => x * x + y * y <= 1],
  ["square", (x, y) => Math.max(Math.abs(x), Math.abs(y)) <= 0.9],
  ["triangle", (x, y) => y <= 0.8 && Math.abs(x) <= (y + 1) / 1.8],
  ["ring", (x, y) => x * x + y * y <= 1 && x * x + y * y >= 0.36],
  [
    "cross",
    (x, y) => Math.min(Math.abs(x), Math.abs(y)) <= 0.3 && Math.max(Math.abs(x), Math.abs(y)) <= 1,
  ],
  [
    "stripes",
    (x, y) => Math.max(Math.abs(x), Math.abs(y)) <= 1 && Math.floor((x + 1) * 2.5) % 2 === 0,
  ],
];

/** The kinds of shapes; their places are the labels. */
export const SHAPE_NAMES: readonly string[] = SHAPES.map(([name]) => name);

/** Samples a pixel and axis, for smooth edges. */
const SAMPLES = 4;

/** What is painted on. */
export interface Canvas {
  readonly image: Uint8Array;
  readonly height: number;
  readonly width: number;
  readonly channels: number;
}

/**
 * Paints one shape, wholly inside the image, at a random place, with a radius of 20 to 45 % of
 * the shorter side, a dark background (0 to 79 a channel) and a bright filling (144 to 255).
 *
 * @param kind Index into {@linkcode SHAPE_NAMES}.
 * @param canvas Its image is [height, width, channels], overwritten.
 */
export function drawShape(
  kind: number,
  { image, height, width, channels }: Canvas,
  random: RandomStream,
): void {
  const [, inside] = SHAPES[kind]!;
  const radius = Math.min(height, width) * (0.2 + 0.25 * random.uniform());
  const centre = (side: number) => radius + (side - 2 * radius) * random.uniform();
  const cx = centre(width), cy = centre(height);
  const background = Array.from({ length: channels }, () => random.below(80));
  const filling = Array.from({ length: channels }, () => 144 + random.below(112));
  for (let y = 0; y < height; y++) {
    for (let x = 0; x < width; x++) {
      let hits = 0;
      for (let sy = 0; sy < SAMPLES; sy++) {
        for (let sx = 0; sx < SAMPLES; sx++) {
          const u = (x + (sx + 0.5) / SAMPLES - cx) / radius;
          const v = (y + (sy + 0.5) / SAMPLES - cy) / radius;
          if (inside(u, v)) hits++;
        }
      }
      const cover = hits / SAMPLES ** 2;
      for (let c = 0; c < channels; c++) {
        const level = background[c]! + cover * (filling[c]! - background[c]!);
        image[(y * width + x) * channels + c] = Math.round(level);
      }
    }
  }
}
