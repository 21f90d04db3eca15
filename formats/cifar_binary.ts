/**
 * Reads and writes batches of CIFAR-10's "binary version": records of one label byte and 3072
 * pixel bytes, the red, green and blue planes of 32x32 in row-major order. Format:
 * https://www.cs.toronto.edu/~kriz/cifar.html
 *
 * @module
 */

/** Side of a CIFAR-10 image in pixels. */
export const CIFAR_SIZE = 32;
/** Classes of CIFAR-10. */
export const CIFAR_CLASSES = 10;

const PLANE = CIFAR_SIZE * CIFAR_SIZE;
const PIXELS = 3 * PLANE;
/** Bytes a record. */
export const CIFAR_RECORD = 1 + PIXELS;

/** A batch of images. */
export interface CifarBatch {
  /** Images in the batch. */
  readonly count: number;
  /** [count, 32, 32, 3] in row-major order. */
  readonly images: Uint8Array<ArrayBuffer>;
  /** [count], each 0 to 9. */
  readonly labels: Uint8Array<ArrayBuffer>;
}

/**
 * Reads a batch of any number of records.
 *
 * @throws SyntaxError that names the record and the byte when the last record is cut off or a
 * label is above 9.
 */
export function readCifarBinary(bytes: Uint8Array): CifarBatch {
  const count = Math.floor(bytes.length / CIFAR_RECORD);
  if (bytes.length === 0) {
    throw new SyntaxError("Cannot read CIFAR-10 batch: byte 0 must exist, got an empty file");
  }
  if (count * CIFAR_RECORD !== bytes.length) {
    throw new SyntaxError(
      `Cannot read CIFAR-10 batch: record ${count} must end at byte ${
        (count + 1) * CIFAR_RECORD
      } (a record has ${CIFAR_RECORD} bytes), got the file's end at byte ${bytes.length}`,
    );
  }
  const labels = new Uint8Array(count);
  for (let record = 0; record < count; record++) {
    const label = bytes[record * CIFAR_RECORD]!;
    if (label >= CIFAR_CLASSES) {
      throw new SyntaxError(
        `Cannot read CIFAR-10 batch: byte ${record * CIFAR_RECORD} (the label of record ` +
          `${record}) must be 0 to ${CIFAR_CLASSES - 1}, got ${label}`,
      );
    }
    labels[record] = label;
  }
  const images = new Uint8Array(count * PIXELS);
  for (let record = 0; record < count; record++) {
    let from = record * CIFAR_RECORD + 1;
    let to = record * PIXELS;
    for (let p = 0; p < PLANE; p++, from++, to += 3) {
      images[to] = bytes[from]!;
      images[to + 1] = bytes[from + PLANE]!;
      images[to + 2] = bytes[from + 2 * PLANE]!;
    }
  }
  return { count, images, labels };
}

/**
 * Writes a batch.
 *
 * @param images [count, 32, 32, 3].
 * @param labels [count], each 0 to 9.
 * @throws RangeError when the sizes differ or a label is above 9.
 */
export function writeCifarBinary(
  { images, labels }: Pick<CifarBatch, "images" | "labels">,
): Uint8Array<ArrayBuffer> {
  if (images.length !== labels.length * PIXELS) {
    throw new RangeError(
      `Cannot write CIFAR-10 batch: ${labels.length} images must have ` +
        `${labels.length * PIXELS} bytes, got ${images.length}`,
    );
  }
  const bytes = new Uint8Array(labels.length * CIFAR_RECORD);
  for (let record = 0; record < labels.length; record++) {
    const label = labels[record]!;
    if (label >= CIFAR_CLASSES) {
      throw new RangeError(
        `Cannot write CIFAR-10 batch: label ${record} must be 0 to ${CIFAR_CLASSES - 1}, ` +
          `got ${label}`,
      );
    }
    const at = record * CIFAR_RECORD;
    bytes[at] = label;
    for (let p = 0; p < PLANE; p++) {
      for (let c = 0; c < 3; c++) {
        bytes[at + 1 + c * PLANE + p] = images[record * PIXELS + 3 * p + c]!;
      }
    }
  }
  return bytes;
}
