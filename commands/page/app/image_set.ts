/// <reference lib="dom" />
/**
 * The training set of the page: one picture, cut into images.
 *
 * @module
 */
import type { ImageSet } from "../../../data/dataset.ts";
import type { SiteTraining } from "../site.ts";
import { fetchFile, type OnProgress, sha256 } from "./fetch_file.ts";

/**
 * Fetches and decodes the set.
 *
 * @throws {Error} When the browser decodes other pixels than were written.
 */
export async function fetchImages(
  training: SiteTraining,
  onProgress: OnProgress,
  signal: AbortSignal,
): Promise<ImageSet> {
  const { count, size, columns, data, labels } = training;
  const bytes = await fetchFile(training.images, document.baseURI, onProgress, signal);
  const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }), {
    ...{ colorSpaceConversion: "none", premultiplyAlpha: "none" },
  });
  const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
  const context = canvas.getContext("2d", { willReadFrequently: true })!;
  context.drawImage(bitmap, 0, 0);
  const { height, width, channels } = size;
  const images = new Uint8Array(count * height * width * channels);
  const { data: pixels } = context.getImageData(0, 0, bitmap.width, bitmap.height);
  for (let i = 0, to = 0; i < count; i++) {
    const left = i % columns * width, top = Math.floor(i / columns) * height;
    for (let y = 0; y < height; y++) {
      for (let x = 0; x < width; x++) {
        const from = 4 * ((top + y) * bitmap.width + left + x);
        for (let c = 0; c < channels; c++) images[to++] = pixels[from + c]!;
      }
    }
  }
  if (await sha256(images) !== training.sha256) {
    throw new Error(
      "Cannot read the training images: their pixels must be those of the page, the browser gives " +
        "others; protection against fingerprinting may change them, switch it off for this page",
    );
  }
  return {
    ...{ name: data, checksum: training.sha256, images, count, height, width, channels },
    labels: labels && Uint8Array.from(labels),
  };
}
