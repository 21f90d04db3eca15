/**
 * The order of images by the SHA-256 of their pixels: as good as random, and the same for the same
 * images, whatever they are called and in whatever order they come. So parts of them, as blocks, splits
 * and the first N, are samples of the whole.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { type ImageSet, imageSet, pickLabels } from "../../data/dataset.ts";

/** A checksum of one image. */
export function pixelHash(pixels: Uint8Array): string {
  return createHash("sha256").update(pixels).digest("hex");
}

/** Indices of images by their checksums. */
export function orderOf(hashes: readonly string[]): number[] {
  return hashes.map((_, i) => i).sort((a, b) =>
    hashes[a]! < hashes[b]! ? -1 : hashes[a]! > hashes[b]! ? 1 : 0
  );
}

/** Indices of a set's images by their content. */
export function contentOrder({ images, count }: Pick<ImageSet, "images" | "count">): number[] {
  const length = images.length / count;
  return orderOf(
    Array.from(
      { length: count },
      (_, i) => pixelHash(images.subarray(i * length, (i + 1) * length)),
    ),
  );
}

/** A set in the order of its content. */
export function byContent(set: ImageSet): ImageSet {
  const length = set.images.length / set.count;
  const order = contentOrder(set);
  const images = new Uint8Array(set.images.length);
  for (const [to, from] of order.entries()) {
    images.set(set.images.subarray(from * length, (from + 1) * length), to * length);
  }
  const { name, labels, mirrorable, ...rest } = set;
  return imageSet(name, {
    ...rest,
    images,
    labels: labels && pickLabels(labels, order),
    ...(mirrorable ? { mirrorable: Uint8Array.from(order, (index) => mirrorable[index]!) } : {}),
  });
}
