/**
 * Files of tensors, whatever their format, as names with tensors and names with plain values.
 *
 * @module
 */
import { looksLikeFlax, readFlax } from "../../../formats/flax.ts";
import { readNpz } from "../../../formats/npy.ts";
import {
  PickleDict,
  PickleGlobal,
  PickleMark,
  PickleTuple,
} from "../../../formats/pickle_values.ts";
import { looksLikePt, type PtMark, PtTensor, type PtValue, readPt } from "../../../formats/pt.ts";
import {
  readSafetensors,
  safetensorsHeader,
  type StoredTensor,
  type TensorSpec,
} from "../../../formats/safetensors.ts";
import { looksLikeTorchPickle, readTorchPickle } from "../../../formats/torch_pickle.ts";
import { atomicWrite, readFileChecked } from "../../../support/files.ts";

/** A tensor that is fetched when its turn comes. */
export interface SourceTensor extends TensorSpec {
  read(): StoredTensor;
}

/** What a file holds. Names are dotted: `optim.state.1.exp_avg`. */
export interface Source {
  readonly path: string;
  /** Bytes of the file. */
  readonly byteLength: number;
  readonly tensors: ReadonlyMap<string, SourceTensor>;
  /** Numbers, text and lists of them, as JSON has them. */
  readonly facts: ReadonlyMap<string, unknown>;
  /** Objects of classes that mean nothing here, and what they are called. Nothing of them was run. */
  readonly marks: ReadonlyMap<string, string>;
  /** What was saved, where it was pickled as a whole. */
  readonly pickled?: PtValue;
}

/** What is in a file, without where it is. */
type Content = Pick<Source, "tensors" | "facts" | "marks">;

/** A file may refer to one thing from many places; more names than this are refused. */
const MOST_NAMES = 1 << 17;
const DEEPEST = 64;

/** Written tensors may take this much, and four times the file. */
const FREE_BYTES = 64 << 20;

/**
 * Reads a file of torch.save, .npz, flax or safetensors, told by its first bytes.
 *
 * @throws {Error} One line that names the file, and what is wrong with it.
 */
export async function readSource(path: string): Promise<Source> {
  const bytes = await readFileChecked(path);
  try {
    return sourceOf(path, bytes);
  } catch (cause) {
    throw new Error(`Cannot convert ${path}: ${lowerFirst((cause as Error).message)}`, { cause });
  }
}

/** As {@linkcode readSource}, for bytes that were read already. */
export function sourceOf(path: string, bytes: Uint8Array): Source {
  const byteLength = bytes.length;
  if (path.endsWith(".npz")) return { path, byteLength, ...stored(readNpz(bytes), {}) };
  if (looksLikePt(bytes)) return { path, byteLength, ...flatten(readPt(bytes)) };
  if (looksLikeTorchPickle(bytes)) {
    const pickled = readTorchPickle(bytes);
    return { path, byteLength, ...flatten(pickled), pickled };
  }
  if (looksLikeFlax(bytes)) {
    const { tensors, facts } = readFlax(bytes);
    return { path, byteLength, ...stored(tensors, {}), facts };
  }
  const { tensors, metadata } = readSafetensors(bytes);
  return { path, byteLength, ...stored(tensors, metadata) };
}

function lowerFirst(text: string): string {
  return text.charAt(0).toLowerCase() + text.slice(1);
}

function stored(
  arrays: ReadonlyMap<string, StoredTensor>,
  metadata: Readonly<Record<string, string>>,
): Content {
  const tensors = Array.from(arrays, ([name, tensor]) => {
    const { dtype, shape } = tensor;
    return [name, { dtype, shape, read: () => tensor }] as const;
  });
  const facts = Object.entries(metadata).map(([name, text]) => [name, fromJson(text)] as const);
  return { tensors: new Map(tensors), facts: new Map(facts), marks: new Map() };
}

function fromJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

/**
 * Tensors, plain values and marks of a PyTorch file under dotted names. Of an object that was saved
 * whole, as `torch.save(model)` does, what its parts hold is named as its `state_dict` would.
 */
export function flatten(value: PtValue): Content {
  const tensors = new Map<string, SourceTensor>();
  const facts = new Map<string, unknown>(), marks = new Map<string, string>();
  let names = 0;
  const add = <T>(map: Map<string, T>, path: string, item: T) => {
    if (tensors.has(path) || facts.has(path)) {
      throw new SyntaxError(
        `Cannot name what is in a PyTorch file: ${JSON.stringify(path)} must be one thing`,
      );
    }
    map.set(path, item);
  };
  const visit = (value: PtValue, path: string, depth: number) => {
    if (++names > MOST_NAMES || depth > DEEPEST) {
      throw new SyntaxError(
        `Cannot name what is in a PyTorch file: it must have at most ${MOST_NAMES} values in ` +
          `${DEEPEST} levels, and none inside itself`,
      );
    }
    if (value instanceof PtTensor) return add(tensors, path, value);
    if (value instanceof PickleDict) return visitAll(value, path, depth);
    if (value instanceof PickleMark) {
      marks.set(path, value.name);
      for (const part of partsOf(value)) visitAll(part, path, depth);
      return;
    }
    const items = value instanceof PickleTuple ? value.items : Array.isArray(value) ? value : null;
    if (items?.some((item) => typeof item === "object" && item !== null)) {
      return visitAll(items.entries(), path, depth);
    }
    if (items) names += items.length;
    if (items) add(facts, path, items.map(plain));
    else if (typeof value !== "object" || value === null) add(facts, path, plain(value));
    else marks.set(path, nameOf(value));
  };
  const visitAll = (
    items: Iterable<readonly [string | number | bigint, PtValue]>,
    path: string,
    depth: number,
  ) => {
    for (const [key, item] of items) visit(item, join(path, `${key}`), depth + 1);
  };
  visit(value, "", 0);
  return { tensors, facts, marks };
}

/** Where modules keep what a `state_dict` lists. */
const MODULE_PARTS = ["_parameters", "_buffers", "_modules"];

/** What a mark holds under names: items as a dict has them, the parts of a module. */
function partsOf(
  { items, state }: PtMark,
): Iterable<readonly [string | number | bigint, PtValue]>[] {
  const parts = state instanceof PickleDict ? MODULE_PARTS.map((key) => state.get(key)) : [];
  const whole = parts.every((part) => part instanceof PickleDict);
  return [items, ...(whole ? parts : [])]
    .filter((part) => part instanceof PickleDict)
    .map((part) => [...part].filter(([, item]) => item !== null || !whole));
}

/** What an object is called that is neither a tensor nor plain. */
function nameOf(value: object): string {
  if (value instanceof PickleGlobal) return value.name;
  return value instanceof Uint8Array ? "bytes" : "a storage";
}

function join(path: string, key: string): string {
  return path === "" ? key : `${path}.${key}`;
}

/** A value as JSON can hold it: what it can't is written out. */
function plain(value: unknown): unknown {
  if (typeof value === "bigint") return `${value}`;
  return typeof value === "number" && !Number.isFinite(value) ? `${value}` : value;
}

/**
 * Writes everything to one safetensors file, plain values as JSON in its metadata.
 *
 * @throws {RangeError} When that would take far more bytes than the source has.
 */
export async function writeSource(path: string, source: Source): Promise<void> {
  const tensors = [...source.tensors];
  const total = tensors.reduce((sum, [, tensor]) => sum + byteLength(tensor), 0);
  const most = FREE_BYTES + 4 * source.byteLength;
  if (total > most) {
    throw new RangeError(
      `Cannot convert ${source.path}: its tensors must take at most ${most} bytes, got ${total}`,
    );
  }
  const facts = Array.from(source.facts, ([name, value]) => [name, JSON.stringify(value)]);
  // A thing that is a dict as well has its items under names of their own.
  const marks = [...source.marks].map(([name, text]) => [name, JSON.stringify(`<${text}>`)]);
  const metadata = Object.fromEntries([...marks, ...facts]);
  await writeTensors(path, tensors, { ...metadata, format: "pt" });
}

function byteLength({ dtype, shape }: TensorSpec): number {
  const bits = Number(/\d+$/.exec(dtype)?.[0] ?? 8);
  return shape.reduce((product, n) => product * n, bits / 8);
}

/** Writes a safetensors file tensor by tensor. */
export async function writeTensors(
  path: string,
  tensors: readonly (readonly [name: string, tensor: LazyTensor])[],
  metadata: Readonly<Record<string, string>>,
): Promise<void> {
  const header = safetensorsHeader(tensors, metadata);
  await atomicWrite(path, chunks(header, tensors));
}

/** A tensor to be written. */
export interface LazyTensor extends TensorSpec {
  read(): StoredTensor | Promise<StoredTensor>;
}

async function* chunks(
  header: Uint8Array,
  tensors: readonly (readonly [string, LazyTensor])[],
): AsyncGenerator<Uint8Array> {
  yield header;
  for (const [, { read }] of tensors.map(([name, tensor]) => [name, bound(tensor)] as const)) {
    const { data } = await read();
    if (data.byteLength > 0) yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
  }
}

function bound(tensor: LazyTensor): Pick<LazyTensor, "read"> {
  return { read: () => tensor.read() };
}
