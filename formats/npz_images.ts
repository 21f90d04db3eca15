/**
 * Reads images from an .npz as guided-diffusion writes samples, `arr_0`, and in the layout of MedMNIST: {train,val,test}_images, bytes of shape
 * [N, H, W] (grey) or [N, H, W, 3], and {train,val,test}_labels of shape [N, 1], or [N, L] where an
 * image has L answers. Only the arrays that are asked for are unpacked.
 *
 * @module
 */
import { readNpy } from "./npy.ts";
import type { StoredTensor } from "./safetensors.ts";
import { ZipArchive } from "./zip.ts";

/** The array of samples in files of guided-diffusion, after which many have modelled theirs. */
const SAMPLES = "arr_0";

/** A split's name in the file. */
export type NpzSplit = "train" | "val" | "test";

/** A split's images. */
export interface NpzImages {
  readonly count: number;
  readonly height: number;
  readonly width: number;
  /** 1 or 3. */
  readonly channels: number;
  /** [count, height, width, channels]. */
  readonly images: Uint8Array;
  /** [count]; null where an image has several answers, or there are none. */
  readonly labels: Uint8Array | null;
  /** Answers an image. */
  readonly answers: number;
}

function damaged(what: string): SyntaxError {
  return new SyntaxError(`Cannot read images of .npz: ${what}`);
}

/** The splits that a file has. */
export function npzSplits(bytes: Uint8Array): NpzSplit[] {
  const { entries } = ZipArchive.open(bytes);
  return (["train", "val", "test"] as const).filter((split) => entries.has(`${split}_images.npy`));
}

/** The arrays that a file has, for a person. */
export function npzNames(bytes: Uint8Array): string {
  const names = [...ZipArchive.open(bytes).entries.keys()].map((name) =>
    name.replace(/\.npy$/, "")
  );
  const rest = names.length > 8 ? ` and ${names.length - 8} more` : "";
  return names.length === 0 ? "none" : `${names.slice(0, 8).join(", ")}${rest}`;
}

/**
 * Reads a split.
 *
 * @throws {SyntaxError} When the bytes are damaged, or the arrays are not of this layout.
 * @throws {RangeError} When the file has no such split.
 * @throws {TypeError} When an array's elements are not numbers.
 */
export function readNpzImages(bytes: Uint8Array, split: NpzSplit): NpzImages {
  const archive = ZipArchive.open(bytes);
  const shape = readPixels(archive, `${split}_images`);
  const { count } = shape;
  const name = `${split}_labels.npy`;
  if (!archive.entries.has(name)) return { ...shape, labels: null, answers: 0 };
  return { ...shape, ...readLabels(readNpy(archive.read(name)), count, split) };
}

/** Whether a file has samples, as guided-diffusion writes them. */
export function isSampleNpz(bytes: Uint8Array): boolean {
  return ZipArchive.open(bytes).entries.has(`${SAMPLES}.npy`);
}

/**
 * Reads samples as guided-diffusion writes them: `arr_0`, bytes of shape [N, H, W, 3].
 *
 * @throws {SyntaxError} When the bytes are damaged, or the array is another or absent.
 */
export function readSampleNpz(bytes: Uint8Array): NpzImages {
  const archive = ZipArchive.open(bytes);
  if (!archive.entries.has(`${SAMPLES}.npy`)) {
    throw damaged(`it must have an array ${SAMPLES}, got ${npzNames(bytes)}`);
  }
  return { ...readPixels(archive, SAMPLES), labels: null, answers: 0 };
}

/** An array of images. */
function readPixels(archive: ZipArchive, name: string): Omit<NpzImages, "labels" | "answers"> {
  const pixels = readNpy(archive.read(`${name}.npy`));
  const [count = 0, height = 0, width = 0, channels = 1] = pixels.shape;
  const rank = pixels.shape.length;
  if (
    pixels.dtype !== "U8" || !(pixels.data instanceof Uint8Array) || rank < 3 || rank > 4 ||
    count * height * width === 0 || (channels !== 1 && channels !== 3)
  ) {
    throw damaged(
      `${name} must be bytes of shape [N, H, W] or [N, H, W, 3], got ${pixels.dtype} ` +
        `[${pixels.shape}]`,
    );
  }
  return { count, height, width, channels, images: pixels.data };
}

function readLabels(
  { dtype, shape, data }: StoredTensor,
  count: number,
  split: NpzSplit,
): { labels: Uint8Array | null; answers: number } {
  const [rows, answers = 1] = shape;
  if (rows !== count || shape.length > 2 || answers === 0) {
    throw damaged(
      `${split}_labels must have ${count} rows as there are images, got shape [${shape}]`,
    );
  }
  if (answers > 1) return { labels: null, answers };
  const labels = Uint8Array.from({ length: count }, (_, n) => {
    const label = Number(data[n]);
    if (!Number.isInteger(label) || label < 0 || label > 255 || dtype.startsWith("F")) {
      throw damaged(`label ${n} of ${split}_labels must be 0 to 255, got ${data[n]} of ${dtype}`);
    }
    return label;
  });
  return { labels, answers };
}
