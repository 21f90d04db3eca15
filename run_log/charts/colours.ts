/**
 * Colours of numbers, and numbers short enough to stand in a cell. Knows no host: the live page takes
 * it as it is.
 *
 * @module
 */

/** Dark to bright, even to the eye (viridis of matplotlib, eleven of its colours). */
export const SEQUENTIAL = [
  "#440154",
  "#482475",
  "#414487",
  "#355f8d",
  "#2a788e",
  "#21918c",
  "#22a884",
  "#44bf70",
  "#7ad151",
  "#bddf26",
  "#fde725",
];
/** Blue over white to red, for ratios. */
export const DIVERGING = [
  "#2166ac",
  "#67a9cf",
  "#d1e5f0",
  "#f7f7f7",
  "#fddbc7",
  "#ef8a62",
  "#b2182b",
];

/** Three characters or so: 0.031, 0.52, 3.1, 120, 2e4. */
export function shortNumber(value: number): string {
  const size = Math.abs(value);
  if (size === 0) return "0";
  if (size >= 1e4 || size < 1e-3) return value.toExponential(0).replace("e+", "e");
  return `${Number(value.toPrecision(2))}`;
}

/** How far a value is into a range, 0 to 1, evenly in the logarithm. */
export function shareOf(value: number, [low, high]: readonly [number, number]): number {
  if (!(high > low)) return 0.5;
  return Math.min(1, Math.max(0, Math.log(value / low) / Math.log(high / low)));
}

function channels(colour: string): number[] {
  return [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
}

/** The colour at a share of the way through a list. */
export function colourAt(list: readonly string[], share: number): string {
  const place = share * (list.length - 1), below = Math.min(Math.floor(place), list.length - 2);
  const from = channels(list[below]!), to = channels(list[below + 1]!);
  const mixed = from.map((value, i) => Math.round(value + (place - below) * (to[i]! - value)));
  return `#${mixed.map((value) => value.toString(16).padStart(2, "0")).join("")}`;
}

/** The `i`-th of `count` colours of a sequence, not so bright that it is lost on white. */
export function sequenceColour(i: number, count: number): string {
  return colourAt(SEQUENTIAL, count < 2 ? 0.3 : 0.88 * i / (count - 1));
}

/** How bright a colour is to the eye, 0 to 1. */
export function brightness(colour: string): number {
  const [r = 0, g = 0, b = 0] = channels(colour);
  return (0.299 * r + 0.587 * g + 0.114 * b) / 255;
}
