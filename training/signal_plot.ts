/**
 * Signals as pictures: a line for each channel, value upwards, time to the right.
 *
 * @module
 */
/** Height of a plot in pixels. */
const HEIGHT = 64;

/** Colours of channels, in turn; a single channel is white. */
const COLOURS = [[230, 159, 0], [86, 180, 233], [0, 158, 115], [204, 121, 167], [240, 228, 66]];

/**
 * Plots signals.
 *
 * @param bytes `[count, width, channels]`, 0 to 255 from the lower to the upper edge.
 * @returns Images of the size that is given with them, `[count, height, width, channels]`.
 */
export function plotSignals(
  bytes: Uint8Array,
  count: number,
  { width, channels }: { readonly width: number; readonly channels: number },
): { images: Uint8Array; size: { height: number; width: number; channels: number } } {
  const colours = channels === 1 ? [[255]] : COLOURS;
  const size = { height: HEIGHT, width, channels: channels === 1 ? 1 : 3 };
  const images = new Uint8Array(count * HEIGHT * width * size.channels);
  const rowOf = (signal: number, x: number, c: number) =>
    Math.round((1 - bytes[(signal * width + x) * channels + c]! / 255) * (HEIGHT - 1));
  for (let signal = 0; signal < count; signal++) {
    for (let c = 0; c < channels; c++) {
      for (let x = 0; x < width; x++) {
        const here = rowOf(signal, x, c), before = x > 0 ? rowOf(signal, x - 1, c) : here;
        // Upright where a line is steep, from the row next to the one before.
        const from = here > before ? before + 1 : here < before ? before - 1 : here;
        for (let y = Math.min(from, here); y <= Math.max(from, here); y++) {
          images.set(
            colours[c % colours.length]!,
            ((signal * HEIGHT + y) * width + x) * size.channels,
          );
        }
      }
    }
  }
  return { images, size };
}
