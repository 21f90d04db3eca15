/**
 * Sets whose images have several sizes, from rows of one length: an image, then what fills it up, and a
 * last line of pixels that begins with the number of its bucket (pixels/pictures.ts).
 *
 * @module
 */
import type { BucketSize } from "./buckets.ts";
import { type Buckets, type ImageSet, imageSet, pickLabels } from "./dataset.ts";
import { middleCorner, storedSizes } from "./random_crops.ts";
import type { StoredImages } from "./fetching/stored_images.ts";
import { readRows } from "./fetching/stored_rows.ts";
import { type SetOptions, sidesOf } from "./set_options.ts";

/** Images, and bytes, that a sample has at most. */
const SAMPLE_COUNT = 8192, SAMPLE_BYTES = 1 << 26;

/** A set in memory by its rows. */
export function bucketsInMemory(rows: ImageSet, options: SetOptions): ImageSet {
  const length = rows.height * rows.width * rows.channels, mark = markAt(rows);
  const of = Uint8Array.from(
    { length: rows.count },
    (_, i) => rows.images[i * length + mark]!,
  );
  const rowAt = (i: number) => rows.images.subarray(i * length, (i + 1) * length);
  return inBuckets(rows, of, options, rowAt);
}

/** A streamed set by the rows of its file. */
export function streamedBuckets(
  set: ImageSet,
  { file }: StoredImages,
  rows: Uint32Array,
  options: SetOptions,
): ImageSet {
  using opened = Deno.openSync(file.path);
  const mark = markAt(set);
  const of = Uint8Array.from(rows, (row) => {
    const start = file.start + row * file.length + mark;
    return readRows(opened, { ...file, start, length: 1 }, [0])[0]!;
  });
  return inBuckets(set, of, options, (i) => readRows(opened, file, [rows[i]!]));
}

/** Byte of a row that tells its bucket. */
function markAt({ height, width, channels }: ImageSet): number {
  return (height - 1) * width * channels;
}

function inBuckets(
  rows: ImageSet,
  of: Uint8Array,
  options: SetOptions,
  rowAt: (i: number) => Uint8Array,
): ImageSet {
  const { channels, labels, mirrorable, name, classNames } = rows;
  const { height, width } = sidesOf(options.size!);
  const rowBytes = rows.height * rows.width * channels;
  const sizes = storedSizes(options)!, length = height * width * channels;
  const crop = options.crop === "random";
  const own = sizes.findIndex(([h, w]) => h === height && w === width);
  const most = Math.min(SAMPLE_COUNT, Math.max(1, Math.floor(SAMPLE_BYTES / length)));
  const all = Uint32Array.from(of.keys()).filter((i) => crop || of[i] === own);
  const count = Math.min(most, all.length);
  const chosen = Uint32Array.from(
    { length: count },
    (_, i) => all[Math.floor(i * all.length / count)]!,
  );
  const images = new Uint8Array(count * length);
  for (const [to, i] of chosen.entries()) {
    images.set(middleOf(rowAt(i), sizes[of[i]!]!, [height, width], channels), to * length);
  }
  const sample = imageSet(name, {
    ...{ images, count, height, width, channels },
    labels: labels && pickLabels(labels, chosen),
    ...classNames && { classNames },
    ...mirrorable && { mirrorable: Uint8Array.from(chosen, (i) => mirrorable[i]!) },
  });
  const buckets: Buckets = { sizes, of, rowBytes, sample, ...crop && { crop: [height, width] } };
  // Images that are streamed are a property that throws, which must stay.
  return Object.assign(rows, { height, buckets });
}

/** The middle of an image of one size in another. */
function middleOf(
  image: Uint8Array,
  from: BucketSize,
  [height, width]: BucketSize,
  channels: number,
): Uint8Array {
  const [top, left] = middleCorner(from, [height, width]);
  const line = width * channels, middle = new Uint8Array(height * line);
  for (let y = 0; y < height; y++) {
    const start = ((top + y) * from[1] + left) * channels;
    middle.set(image.subarray(start, start + line), y * line);
  }
  return middle;
}
