/** The part of gifenc 1.0.3 that gif.ts uses; the package has no types of its own. */
type Colour = [red: number, green: number, blue: number];

interface Encoder {
  /** Appends a frame of palette indices; `delay` in milliseconds, `repeat` -1 once, 0 for ever. */
  writeFrame(
    index: Uint8Array,
    width: number,
    height: number,
    options: { palette: Colour[]; delay: number; repeat: number },
  ): void;
  finish(): void;
  bytes(): Uint8Array<ArrayBuffer>;
}

declare const gifenc: {
  GIFEncoder(): Encoder;
  /** `rgba` must fill its buffer. */
  quantize(rgba: Uint8Array, maxColours: number): Colour[];
  /** `rgba` must fill its buffer. */
  applyPalette(rgba: Uint8Array, palette: Colour[]): Uint8Array;
};
export default gifenc;
