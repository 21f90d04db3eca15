/**
 * Reads signals from an .npz: `train_signals`, `val_signals` and `test_signals`, or one array alone,
 * whatever its name, numbers of shape [N, L] or [N, L, C]; and `train_labels` and so on, [N] or [N, 1].
 *
 * @module
 */
import { npzNames } from "./npz_images.ts";
import { readNpy } from "./npy.ts";
import type { StoredTensor } from "./safetensors.ts";
import { ZipArchive } from "./zip.ts";

/** Parts of a file. */
const SPLITS = ["train", "val", "test"] as const;

/** A part of a file; null is the one array of a file that has no parts. */
export type SignalSplit = typeof SPLITS[number] | null;

/** Signals as they are stored. */
export interface NpzSignals {
  readonly count: number;
  /** Values a signal and channel. */
  readonly length: number;
  readonly channels: number;
  /** [count, length, channels]. */
  readonly values: Float64Array;
  /** [count]; null where there are none. */
  readonly labels: Uint8Array | null;
}

/**
 * The parts that a file has.
 *
 * @throws {SyntaxError} When it has neither such parts nor one array alone.
 */
export function signalSplits(bytes: Uint8Array): SignalSplit[] {
  const { entries } = ZipArchive.open(bytes);
  const named = SPLITS.filter((split) => entries.has(`${split}_signals.npy`));
  if (named.length > 0) return named;
  if (entries.size === 1) return [null];
  throw damaged(
    `it must hold train_signals, or one array alone, got ${npzNames(bytes)}`,
  );
}

/**
 * Reads a part.
 *
 * @throws {SyntaxError} When the bytes are damaged, or the arrays are not of this layout.
 * @throws {TypeError} When an array's elements are not numbers.
 */
export function readNpzSignals(bytes: Uint8Array, split: SignalSplit): NpzSignals {
  const archive = ZipArchive.open(bytes);
  const name = split === null
    ? [...archive.entries.keys()][0]!.replace(/\.npy$/, "")
    : `${split}_signals`;
  const array = readNpy(archive.read(`${name}.npy`));
  const [count = 0, length = 0, channels = 1] = array.shape;
  const rank = array.shape.length;
  if (rank < 2 || rank > 3 || count * length * channels === 0) {
    throw damaged(`${name} must be of shape [N, L] or [N, L, C], got [${array.shape}]`);
  }
  const values = toNumbers(array);
  const wrong = values.findIndex((value) => !Number.isFinite(value));
  if (wrong >= 0) {
    const signal = Math.floor(wrong / length / channels);
    throw damaged(`${name} must be finite, got ${values[wrong]} in signal ${signal}`);
  }
  return { count, length, channels, values, labels: readLabels(archive, split, count) };
}

function readLabels(archive: ZipArchive, split: SignalSplit, count: number): Uint8Array | null {
  const name = `${split}_labels`;
  if (split === null || !archive.entries.has(`${name}.npy`)) return null;
  const array = readNpy(archive.read(`${name}.npy`));
  const [rows, columns = 1] = array.shape;
  if (rows !== count || columns !== 1 || array.shape.length > 2) {
    throw damaged(`${name} must be of shape [${count}] or [${count}, 1], got [${array.shape}]`);
  }
  return Uint8Array.from(toNumbers(array), (label, n) => {
    if (Number.isInteger(label) && label >= 0 && label <= 255) return label;
    throw damaged(`label ${n} of ${name} must be a whole number from 0 to 255, got ${label}`);
  });
}

/** The elements of any type; those of 64 bits rounded to what a double holds. */
function toNumbers({ dtype, data }: StoredTensor): Float64Array {
  if (dtype === "F16") {
    const { buffer, byteOffset, length } = data as Uint16Array<ArrayBuffer>;
    return Float64Array.from(new Float16Array(buffer, byteOffset, length));
  }
  return Float64Array.from(data as ArrayLike<number | bigint>, Number);
}

function damaged(what: string): SyntaxError {
  return new SyntaxError(`Cannot read signals of .npz: ${what}`);
}
