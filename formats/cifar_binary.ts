/**
 * Reads and writes batches of the "binary version" of CIFAR-10 and CIFAR-100: records of one label
 * byte, or of two (coarse and fine), and 3072 pixel bytes, the red, green and blue planes of 32x32 in
 * row-major order. Format: https://www.cs.toronto.edu/~kriz/cifar.html
 *
 * @module
 */

/** Side of an image in pixels. */
export const CIFAR_SIZE = 32;

const PLANE = CIFAR_SIZE * CIFAR_SIZE;
/** Bytes an image. */
export const CIFAR_PIXELS = 3 * PLANE;

/** What differs between the two sets. */
export interface CifarLayout {
  readonly title: string;
  /** The label bytes of a record and the number of classes of each; the last one is kept. */
  readonly labels: readonly (readonly [name: string, classes: number])[];
}

/** Ten classes. */
export const CIFAR_10: CifarLayout = { title: "CIFAR-10", labels: [["label", 10]] };
/** A hundred classes in twenty groups. */
export const CIFAR_100: CifarLayout = {
  title: "CIFAR-100",
  labels: [["coarse label", 20], ["fine label", 100]],
};

/** A batch of images. */
export interface CifarBatch {
  /** Images in the batch. */
  readonly count: number;
  /** [count, 32, 32, 3] in row-major order. */
  readonly images: Uint8Array<ArrayBuffer>;
  /** [count], each from 0 below the number of classes. */
  readonly labels: Uint8Array<ArrayBuffer>;
}

/** Bytes a record. */
export function cifarRecord(layout: CifarLayout): number {
  return layout.labels.length + CIFAR_PIXELS;
}

/**
 * Reads a batch of any number of records.
 *
 * @throws SyntaxError that names the record and the byte when the last record is cut off or a
 * label is too large.
 */
export function readCifarBinary(bytes: Uint8Array, layout: CifarLayout = CIFAR_10): CifarBatch {
  const { title, labels: kinds } = layout;
  const record = cifarRecord(layout);
  const count = Math.floor(bytes.length / record);
  if (bytes.length === 0) {
    throw new SyntaxError(`Cannot read ${title} batch: byte 0 must exist, got an empty file`);
  }
  if (count * record !== bytes.length) {
    throw new SyntaxError(
      `Cannot read ${title} batch: record ${count} must end at byte ${(count + 1) * record} ` +
        `(a record has ${record} bytes), got the file's end at byte ${bytes.length}`,
    );
  }
  const labels = new Uint8Array(count);
  const images = new Uint8Array(count * CIFAR_PIXELS);
  for (let n = 0; n < count; n++) {
    for (const [k, [name, classes]] of kinds.entries()) {
      const label = bytes[n * record + k]!;
      if (label >= classes) {
        throw new SyntaxError(
          `Cannot read ${title} batch: byte ${n * record + k} (the ${name} of record ${n}) must ` +
            `be 0 to ${classes - 1}, got ${label}`,
        );
      }
      labels[n] = label;
    }
    planesToPixels(bytes, n * record + kinds.length, images, n * CIFAR_PIXELS);
  }
  return { count, images, labels };
}

/** Turns the three planes of an image into pixels. */
export function planesToPixels(
  planes: Uint8Array,
  from: number,
  pixels: Uint8Array,
  to: number,
): void {
  for (let p = 0; p < PLANE; p++, from++, to += 3) {
    pixels[to] = planes[from]!;
    pixels[to + 1] = planes[from + PLANE]!;
    pixels[to + 2] = planes[from + 2 * PLANE]!;
  }
}

/**
 * Writes a batch; coarse labels are 0.
 *
 * @param images [count, 32, 32, 3].
 * @param labels [count], each from 0 below the number of classes.
 * @throws RangeError when the sizes differ or a label is too large.
 */
export function writeCifarBinary(
  { images, labels }: Pick<CifarBatch, "images" | "labels">,
  layout: CifarLayout = CIFAR_10,
): Uint8Array<ArrayBuffer> {
  const { title, labels: kinds } = layout;
  const record = cifarRecord(layout);
  const [, classes] = kinds.at(-1)!;
  if (images.length !== labels.length * CIFAR_PIXELS) {
    throw new RangeError(
      `Cannot write ${title} batch: ${labels.length} images must have ` +
        `${labels.length * CIFAR_PIXELS} bytes, got ${images.length}`,
    );
  }
  const bytes = new Uint8Array(labels.length * record);
  for (let n = 0; n < labels.length; n++) {
    const label = labels[n]!;
    if (label >= classes) {
      throw new RangeError(
        `Cannot write ${title} batch: label ${n} must be 0 to ${classes - 1}, got ${label}`,
      );
    }
    const at = n * record + kinds.length;
    bytes[at - 1] = label;
    for (let p = 0; p < PLANE; p++) {
      for (let c = 0; c < 3; c++) {
        bytes[at + c * PLANE + p] = images[n * CIFAR_PIXELS + 3 * p + c]!;
      }
    }
  }
  return bytes;
}
