/**
 * Checkpoints: safetensors files that are whole or refused. The last tensor, `checksum`, is the
 * SHA-256 of every byte before it, so that a file can be written in one pass and still be told from a
 * damaged one.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import { join } from "node:path";
import { sizeOf } from "../device/tensor.ts";
import { fromHalf, type HalfDtype, toHalf } from "../formats/half.ts";
import { looksLikePt } from "../formats/pt.ts";
import { looksLikeTorchPickle } from "../formats/torch_pickle.ts";
import {
  readSafetensorsHeader,
  safetensorsHeader,
  type TensorPlace,
  type TensorSpec,
} from "../formats/safetensors.ts";
import { UsageError } from "../support/errors.ts";
import { atomicWrite, fileError } from "../support/files.ts";
import { conversionOf } from "./conversion.ts";

/** Version of the layout; a file of another one is refused. */
const FORMAT = "diffract checkpoint 1";
/** Name of the last tensor. */
export const CHECKSUM = "checksum";
const CHECKSUM_SPEC: TensorSpec = { dtype: "U8", shape: [32] };
const READ_BYTES = 4 << 20;

/** What numbers may be stored as; training stores f32 alone. */
export type StoredDtype = "F32" | HalfDtype;
const STORED: readonly string[] = ["F32", "F16", "BF16"] satisfies StoredDtype[];

/** A tensor to be stored, fetched only when its turn comes. */
export interface CheckpointTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly read: () => Promise<Float32Array<ArrayBuffer>>;
}

/** What a checkpoint says about itself. */
export interface CheckpointFacts {
  /** Completed optimiser steps. */
  readonly step: number;
  /** The run's config as text. */
  readonly config: string;
  /** Further facts by name, such as the adapter. */
  readonly notes?: Readonly<Record<string, string>>;
}

/**
 * Writes a checkpoint atomically. Equal content gives equal bytes.
 *
 * @param dtype What all tensors are rounded to.
 * @throws {Error} One line, when the disk is full or the like; nothing is left behind then.
 */
export async function writeCheckpoint(
  path: string,
  facts: CheckpointFacts,
  tensors: readonly CheckpointTensor[],
  dtype: StoredDtype = "F32",
): Promise<void> {
  await atomicWrite(path, chunks(headerOf(facts, tensors, dtype), tensors, dtype));
}

/**
 * A copy of all that a checkpoint holds, taken at once, so that it can be written while the tensors
 * change.
 *
 * @returns Writes the file that {@linkcode writeCheckpoint} would have written; throws as it does. The sum
 *   is computed on another thread.
 */
export async function copyCheckpoint(
  path: string,
  facts: CheckpointFacts,
  tensors: readonly CheckpointTensor[],
): Promise<() => Promise<void>> {
  const header = headerOf(facts, tensors);
  const content = new Uint8Array(checkpointBytes(facts, tensors) - sizeOf(CHECKSUM_SPEC.shape));
  content.set(header);
  let at = header.length;
  for (const { read } of tensors) {
    const { buffer, byteOffset, byteLength } = await read();
    content.set(new Uint8Array(buffer, byteOffset, byteLength), at);
    at += byteLength;
  }
  return async () => {
    const sum = new Uint8Array(await crypto.subtle.digest("SHA-256", content));
    await atomicWrite(path, [content, sum]);
  };
}

/** Bytes of the file that {@linkcode writeCheckpoint} would write. */
export function checkpointBytes(
  facts: CheckpointFacts,
  tensors: readonly CheckpointTensor[],
): number {
  const data = tensors.reduce((sum, { shape }) => sum + 4 * sizeOf(shape), 0);
  return headerOf(facts, tensors).length + data + sizeOf(CHECKSUM_SPEC.shape);
}

function headerOf(
  { step, config, notes = {} }: CheckpointFacts,
  tensors: readonly CheckpointTensor[],
  dtype: StoredDtype = "F32",
): Uint8Array {
  const specs = tensors.map(({ name, shape }) => [name, { dtype, shape }] as const);
  const metadata = { format: FORMAT, step: `${step}`, config, ...notes };
  return safetensorsHeader([...specs, [CHECKSUM, CHECKSUM_SPEC]], metadata);
}

async function* chunks(
  header: Uint8Array,
  tensors: readonly CheckpointTensor[],
  dtype: StoredDtype,
): AsyncGenerator<Uint8Array> {
  const hash = createHash("sha256").update(header);
  yield header;
  for (const { read } of tensors) {
    const values = await read();
    const { buffer, byteOffset, byteLength } = dtype === "F32" ? values : toHalf(values, dtype);
    const bytes = new Uint8Array(buffer, byteOffset, byteLength);
    hash.update(bytes);
    yield bytes;
  }
  yield new Uint8Array(hash.digest());
}

/** A file that other code has written: no checkpoint, and perhaps one could be made of it. */
export class ForeignFileError extends Error {
  override name = "ForeignFileError";

  constructor(path: string, what: string) {
    super(
      `Cannot read checkpoint ${path}: ${what}; make a checkpoint of it by ` +
        `\`${conversionOf(path)}\``,
    );
  }
}

/** A checkpoint that was found whole. */
export class Checkpoint implements CheckpointFacts {
  private constructor(
    readonly path: string,
    readonly step: number,
    readonly config: string,
    readonly notes: Readonly<Record<string, string>>,
    /** The tensors and where they are. */
    readonly tensors: ReadonlyMap<string, TensorPlace>,
  ) {}

  /**
   * Reads a checkpoint's header and checks every byte.
   *
   * @throws {ForeignFileError} When it is a file of other code.
   * @throws {Error} One line that names the file and what is wrong with it.
   */
  static async open(path: string): Promise<Checkpoint> {
    try {
      using file = await Deno.open(path, { read: true });
      return await Checkpoint.#read(path, file);
    } catch (cause) {
      if (cause instanceof ForeignFileError) throw cause;
      const why = cause instanceof Deno.errors.NotFound
        ? "there is no such file"
        : (cause as Error).message.replace(/^Cannot read safetensors: /, "");
      throw new Error(`Cannot read checkpoint ${path}: ${why}`, { cause });
    }
  }

  static async #read(path: string, file: Deno.FsFile): Promise<Checkpoint> {
    const { size } = await file.stat();
    // A length, and the first byte of a header.
    const first = await readExactly(file, Math.min(9, size));
    if (looksLikePt(first)) {
      const kind = path.endsWith(".npz") ? "an .npz of NumPy's" : "a file of PyTorch's torch.save";
      throw new ForeignFileError(path, `it is ${kind}`);
    }
    if (looksLikeTorchPickle(first)) throw new ForeignFileError(path, "it is a pickle of Python's");
    const length = new DataView(first.buffer);
    // A length that is beyond the file is left for the reader to refuse.
    const declared = size < 8 ? 0n : length.getBigUint64(0, true);
    const headerBytes = declared <= BigInt(size) ? Math.min(size, 8 + Number(declared)) : size;
    await file.seek(0, Deno.SeekMode.Start);
    const header = await readExactly(file, Math.min(headerBytes, 64 << 20));
    const { metadata, tensors } = readSafetensorsHeader(header, size);
    const { format, step = "", config = "", ...notes } = metadata;
    if (format !== FORMAT) {
      const rule = `its format must be "${FORMAT}", got ${
        format === undefined ? "none" : `"${format}"`
      }`;
      if (format?.startsWith("diffract")) throw new SyntaxError(rule);
      throw new ForeignFileError(path, `${rule}: other code has written it`);
    }
    if (!/^\d+$/.test(step) || !Number.isSafeInteger(Number(step))) {
      throw new SyntaxError(`its step must be a whole number, got ${JSON.stringify(step)}`);
    }
    await checkSum(file, createHash("sha256").update(header), size - header.length, tensors);
    const stored = new Map([...tensors].filter(([name]) => name !== CHECKSUM));
    return new Checkpoint(path, Number(step), config, notes, stored);
  }

  /**
   * Where a tensor is.
   *
   * @throws {Error} When it is absent or has another shape.
   */
  place(name: string, shape: readonly number[]): TensorPlace {
    const place = this.tensors.get(name);
    if (place && STORED.includes(place.dtype) && place.shape.join() === shape.join()) return place;
    throw new Error(
      `Cannot use checkpoint ${this.path}: tensor ${name} must be F32, F16 or BF16 of shape [${shape}], got ${
        place ? `${place.dtype} of shape [${place.shape}]` : "none"
      }`,
    );
  }

  /** The values of a tensor; throws as {@linkcode place}. */
  async read(name: string, shape: readonly number[]): Promise<Float32Array<ArrayBuffer>> {
    const { start, end, dtype } = this.place(name, shape);
    using file = await Deno.open(this.path, { read: true });
    await file.seek(start, Deno.SeekMode.Start);
    const { buffer } = await readExactly(file, end - start);
    return dtype === "F32"
      ? new Float32Array(buffer)
      : fromHalf(new Uint16Array(buffer), dtype as HalfDtype);
  }
}

/** Hashes what follows the header and compares. */
async function checkSum(
  file: Deno.FsFile,
  hash: Hash,
  dataBytes: number,
  tensors: ReadonlyMap<string, TensorPlace>,
): Promise<void> {
  const [name, place] = [...tensors].at(-1) ?? [];
  if (name !== CHECKSUM || place?.end! - place?.start! !== 32) {
    throw new SyntaxError("its last tensor must be the checksum");
  }
  for (let left = dataBytes - 32; left > 0;) {
    const bytes = await readExactly(file, Math.min(left, READ_BYTES));
    hash.update(bytes);
    left -= bytes.length;
  }
  const stored = await readExactly(file, 32);
  const computed = new Uint8Array(hash.digest());
  if (!stored.every((byte, i) => byte === computed[i])) {
    throw new SyntaxError("its bytes must match its checksum, they do not: the file is damaged");
  }
}

async function readExactly(file: Deno.FsFile, count: number): Promise<Uint8Array<ArrayBuffer>> {
  const bytes = new Uint8Array(count);
  for (let filled = 0; filled < count;) {
    const read = await file.read(bytes.subarray(filled));
    if (read === null) throw new SyntaxError(`it must have ${count - filled} more bytes`);
    filled += read;
  }
  return bytes;
}

/** Name of what belongs to a step: `step-000500`. */
export function stepName(step: number): string {
  return `step-${String(step).padStart(6, "0")}`;
}

/** Checkpoints in a folder, newest first; none where there is no folder. */
export async function listCheckpoints(
  folder: string,
): Promise<{ step: number; path: string }[]> {
  const found: { step: number; path: string }[] = [];
  try {
    for await (const { name } of Deno.readDir(folder)) {
      const step = /^step-(\d{6,})\.safetensors$/.exec(name)?.[1];
      if (step) found.push({ step: Number(step), path: join(folder, name) });
    }
  } catch (error) {
    const { NotFound, NotADirectory } = Deno.errors;
    if (!(error instanceof NotFound || error instanceof NotADirectory)) {
      throw fileError("read", folder, error);
    }
  }
  return found.sort((a, b) => b.step - a.step);
}

/** There are checkpoints, and none of them can be used. */
export class NoCheckpointError extends Error {
  override name = "NoCheckpointError";
}

/**
 * The newest whole checkpoint in a folder, or null when it has none at all. Damaged ones are passed
 * over, each with a line to `say`.
 *
 * @param check Throws when a whole checkpoint is still not one to use.
 * @throws {NoCheckpointError} When there are checkpoints and none can be used.
 * @throws {UsageError} That `check` throws: it is no fault of the checkpoint.
 */
export async function newestCheckpoint(
  folder: string,
  say: (line: string) => void,
  check: (checkpoint: Checkpoint) => void = () => {},
): Promise<Checkpoint | null> {
  const found = await listCheckpoints(folder);
  const reasons: string[] = [];
  for (const { path } of found) {
    try {
      const checkpoint = await Checkpoint.open(path);
      check(checkpoint);
      for (const reason of reasons) say(`${reason}; using ${path} instead`);
      return checkpoint;
    } catch (error) {
      if (error instanceof UsageError) throw error;
      reasons.push((error as Error).message);
    }
  }
  if (found.length === 0) return null;
  throw new NoCheckpointError(
    `Cannot use any checkpoint in ${folder}: at least one must be whole. ${reasons.join(". ")}`,
  );
}

/** Removes all but the newest `keep` checkpoints up to `step`. */
export async function pruneCheckpoints(folder: string, step: number, keep: number): Promise<void> {
  const old = (await listCheckpoints(folder)).filter((entry) => entry.step <= step).slice(keep);
  for (const { path } of old) {
    try {
      await Deno.remove(path);
    } catch (error) {
      throw fileError("remove", path, error);
    }
  }
}
