/**
 * A filter of images by frequency in f64: by naive sums, of the complex Fourier transform or of cosines.
 *
 * @module
 */
import type { Bands } from "../../diffusion/bands.ts";
import { dft2 } from "./fft.ts";

/** F^-1 g F of images `[N, H, W, C]`, with a factor for each sample and band. */
export function bandFilter(
  x: ArrayLike<number>,
  { height, width, transform, index }: Bands,
  channels: number,
  factor: (sample: number, band: number) => number,
): Float64Array {
  const points = height * width, length = points * channels, samples = x.length / length;
  const shape = { samples, height, width, channels };
  const bandAt = (i: number) => index[Math.floor(i / channels) % points]!;
  if (transform === "fourier") {
    const spectrum = dft2(x, shape).map((value, i) =>
      value * factor(Math.floor(i / 2 / length), bandAt(i >> 1))
    );
    return dft2(spectrum, shape, true).filter((_, i) => i % 2 === 0).map((value) => value / points);
  }
  const wave = (k: number, i: number, n: number) =>
    Math.sqrt((k === 0 ? 1 : 2) / n) * Math.cos(Math.PI * (i + 0.5) * k / n);
  const result = new Float64Array(x.length);
  for (let n = 0; n < samples; n++) {
    for (let c = 0; c < channels; c++) {
      const at = (y: number, x: number) => n * length + (y * width + x) * channels + c;
      for (let ky = 0; ky < height; ky++) {
        for (let kx = 0; kx < width; kx++) {
          let sum = 0;
          for (let y = 0; y < height; y++) {
            for (let p = 0; p < width; p++) {
              sum += wave(ky, y, height) * wave(kx, p, width) * x[at(y, p)]!;
            }
          }
          sum *= factor(n, index[ky * width + kx]!);
          for (let y = 0; y < height; y++) {
            for (let p = 0; p < width; p++) {
              result[at(y, p)]! += sum * wave(ky, y, height) * wave(kx, p, width);
            }
          }
        }
      }
    }
  }
  return result;
}
