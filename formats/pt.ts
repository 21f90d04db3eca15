/**
 * Reads what torch.save writes, in its zip form (PyTorch 1.6 and later) and its legacy form, without
 * PyTorch and without running anything: a pickle of plain data that may refer to tensors' storages,
 * and the storages' raw bytes. Sources: torch/serialization.py and torch/_utils.py.
 *
 * @module
 */
import { readPickle } from "./pickle.ts";
import {
  PickleDict,
  PickleGlobal,
  type PickleHost,
  PickleTuple,
  type PickleValue,
} from "./pickle_values.ts";
import { type Dtype, type StoredTensor, tensorData } from "./safetensors.ts";
import { ZipArchive } from "./zip.ts";

/** Storage classes by the last part of their name. */
const STORAGES: Readonly<Record<string, Dtype>> = {
  DoubleStorage: "F64",
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

const ELEMENT_BYTES: Readonly<Record<Dtype, number>> = {
  F64: 8,
  F32: 4,
  F16: 2,
  BF16: 2,
  I64: 8,
  U64: 8,
  I32: 4,
  U32: 4,
  I16: 2,
  U16: 2,
  I8: 1,
  U8: 1,
  BOOL: 1,
};

/** A tensor whose elements overlap in its storage may take this much, or as much as the storage. */
const FREE_OVERLAP_BYTES = 4 << 20;
const MAX_RANK = 64;
/** Room for 100,000 tensors; elements are not in the pickle. */
const MAX_PICKLE_BYTES = 32 << 20;

/** First pickle of a legacy file, and the version in the second. */
const LEGACY_MAGIC = 0x1950a86a20f9469cfc6cn;
const LEGACY_VERSION = 1001;

function damaged(what: string): SyntaxError {
  return new SyntaxError(`Cannot read PyTorch file: ${what}`);
}

/** Raw elements that tensors are views of. */
class PtStorage {
  bytes: Uint8Array | undefined;

  constructor(readonly key: string, readonly dtype: Dtype, readonly count: number) {}

  get byteLength(): number {
    return this.count * ELEMENT_BYTES[this.dtype];
  }
}

/** A part of a storage, as old files may refer to it. */
class PtStorageView {
  constructor(readonly storage: PtStorage, readonly offset: number, readonly count: number) {}
}

/** A tensor: a strided view of a storage. Its elements are copied only when asked for. */
export class PtTensor {
  /**
   * @param offset First element, counted in the storage.
   * @param strides Elements between neighbours along each axis.
   */
  constructor(
    private readonly storage: PtStorage,
    private readonly offset: number,
    readonly shape: readonly number[],
    private readonly strides: readonly number[],
  ) {}

  get dtype(): Dtype {
    return this.storage.dtype;
  }

  /** Number of elements. */
  get count(): number {
    return this.shape.reduce((product, n) => product * n, 1);
  }

  /** Bytes of its elements, each counted as often as the shape says. */
  get byteLength(): number {
    return this.count * ELEMENT_BYTES[this.dtype];
  }

  /**
   * Refuses a tensor that reaches outside its storage, or claims far more elements than it has.
   *
   * @throws {SyntaxError}
   */
  check(): void {
    const { storage, shape, strides, offset } = this;
    const count = this.count;
    const last = shape.reduce((at, n, axis) => at + (n - 1) * strides[axis]!, offset);
    if (count === 0 ? offset > storage.count : last >= storage.count) {
      throw damaged(
        `a tensor of shape [${shape}] and strides [${strides}] from element ${offset} must lie ` +
          `inside its storage ${JSON.stringify(storage.key)} of ${storage.count} elements`,
      );
    }
    const most = Math.max(storage.byteLength, FREE_OVERLAP_BYTES);
    if (this.byteLength > most) {
      throw damaged(
        `a tensor of shape [${shape}] must take at most ${most} bytes from a storage of ` +
          `${storage.byteLength} bytes, got ${this.byteLength}`,
      );
    }
  }

  /** The tensor in row-major order: a view of the file where that is possible, else a copy. */
  read(): StoredTensor {
    const { dtype, shape, offset, count } = this;
    const size = ELEMENT_BYTES[dtype];
    const { bytes } = this.storage;
    if (!bytes) throw new Error("Cannot read a tensor: its storage must have been read");
    if (this.#isContiguous()) {
      const part = bytes.subarray(offset * size, (offset + count) * size);
      return { dtype, shape, data: tensorData(dtype, part) };
    }
    const packed = new Uint8Array(count * size);
    const index = new Array<number>(shape.length).fill(0);
    for (let to = 0, from = offset; to < packed.length; to += size) {
      for (let i = 0; i < size; i++) packed[to + i] = bytes[from * size + i]!;
      for (let axis = shape.length - 1; axis >= 0; axis--) {
        from += this.strides[axis]!;
        if (++index[axis]! < shape[axis]!) break;
        from -= this.strides[axis]! * shape[axis]!;
        index[axis] = 0;
      }
    }
    return { dtype, shape, data: tensorData(dtype, packed) };
  }

  #isContiguous(): boolean {
    let stride = 1;
    for (let axis = this.shape.length - 1; axis >= 0; axis--) {
      if (this.shape[axis] !== 1 && this.strides[axis] !== stride) return this.count === 0;
      stride *= this.shape[axis]!;
    }
    return true;
  }
}

/** A value in a PyTorch file. */
export type PtValue = PickleValue<PtTensor>;
/** A dict in a PyTorch file. */
export type PtDict = PickleDict<PtTensor>;

type Inner = PtTensor | PtStorage | PtStorageView;
type InnerValue = PickleValue<Inner>;

/**
 * Reads a file of torch.save.
 *
 * @returns What was saved: dicts, lists, tuples, numbers, text and tensors.
 * @throws {SyntaxError} When the bytes are damaged, cut short, refer to anything that tensors don't
 *   need, or are no PyTorch file at all.
 * @throws {TypeError} When a zip archive is encrypted or packed by something else than deflate.
 */
export function readPt(bytes: Uint8Array): PtValue {
  if (startsWith(bytes, [0x50, 0x4b, 0x03, 0x04])) return readZipForm(bytes);
  if (startsWith(bytes, [0x80, 0x02, 0x8a])) return readLegacyForm(bytes);
  throw damaged("it must begin as a zip archive or as a legacy pickle of torch.save");
}

/** Whether bytes begin as a file of torch.save does. */
export function looksLikePt(bytes: Uint8Array): boolean {
  return startsWith(bytes, [0x50, 0x4b, 0x03, 0x04]) || startsWith(bytes, [0x80, 0x02, 0x8a]);
}

function startsWith(bytes: Uint8Array, signature: readonly number[]): boolean {
  return signature.every((byte, i) => bytes[i] === byte);
}

function readZipForm(bytes: Uint8Array): PtValue {
  const archive = ZipArchive.open(bytes);
  const pickles = [...archive.entries.keys()].filter((name) => /^[^/]+\/data\.pkl$/.test(name));
  const [pickle = ""] = pickles;
  const prefix = pickle.slice(0, -"data.pkl".length);
  if (pickles.length !== 1) throw damaged(`it must hold one data.pkl, got ${pickles.length}`);
  if (archive.entries.has(`${prefix}constants.pkl`)) {
    throw damaged("it must be a file of torch.save, got a TorchScript program");
  }
  const order = `${prefix}byteorder`;
  if (archive.entries.has(order)) {
    const text = new TextDecoder().decode(archive.read(order).subarray(0, 16)).trim();
    if (text !== "little") throw damaged(`its byte order must be little, got ${quote(text)}`);
  }
  const { size: pickleBytes = 0 } = archive.entries.get(pickle) ?? {};
  if (pickleBytes > MAX_PICKLE_BYTES) {
    throw damaged(`its data.pkl must have at most ${MAX_PICKLE_BYTES} bytes, got ${pickleBytes}`);
  }
  const host = new TorchHost();
  const { value } = readPickle<Inner>(archive.read(pickle), host, 0, bytes.length);
  for (const storage of host.storages.values()) {
    const name = `${prefix}data/${storage.key}`;
    const { size } = archive.entries.get(name) ?? {};
    if (size !== storage.byteLength) {
      throw damaged(
        `storage ${quote(storage.key)} of ${storage.count} ${storage.dtype} elements must have ` +
          `${storage.byteLength} bytes, got ${size ?? "none"}`,
      );
    }
    storage.bytes = archive.read(name);
  }
  return host.finish(value);
}

function readLegacyForm(bytes: Uint8Array): PtValue {
  const plain = new TorchHost();
  const [magic, version, system] = [0, 1, 2].reduce<InnerValue[]>((values) => {
    values.push(plain.next(bytes));
    return values;
  }, []);
  if (magic !== LEGACY_MAGIC || version !== LEGACY_VERSION) {
    throw damaged("it must begin with the magic number and version of a legacy torch.save file");
  }
  const little = system instanceof PickleDict ? system.get("little_endian") : undefined;
  if (little !== true) throw damaged("its byte order must be little");
  const host = new TorchHost(plain.at);
  const value = host.next(bytes);
  const keys = host.next(bytes);
  if (!Array.isArray(keys) || keys.some((key) => typeof key !== "string")) {
    throw damaged("the list of its storages must hold their keys");
  }
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = host.at;
  for (const key of keys as string[]) {
    const storage = host.storages.get(key);
    if (!storage || storage.bytes) {
      throw damaged(`storage ${quote(key)} must be used and come once`);
    }
    const count = at + 8 <= bytes.length ? Number(view.getBigUint64(at, true)) : NaN;
    at += 8;
    if (count !== storage.count || storage.byteLength > bytes.length - at) {
      throw damaged(
        `storage ${quote(key)} must have ${storage.count} ${storage.dtype} elements, the file is ` +
          "damaged or cut short",
      );
    }
    storage.bytes = bytes.subarray(at, at += storage.byteLength);
  }
  for (const { key, bytes: found } of host.storages.values()) {
    if (!found) throw damaged(`storage ${quote(key)} must be in the file`);
  }
  if (at !== bytes.length) {
    throw damaged(`it must end at byte ${at}, after its last storage, got ${bytes.length} bytes`);
  }
  return host.finish(value);
}

function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}

/** The short list of names that a PyTorch file may use, and what each makes. */
class TorchHost implements PickleHost<Inner> {
  readonly storages = new Map<string, PtStorage>();
  readonly #tensors: PtTensor[] = [];

  /** @param at Where the next pickle begins in a legacy file. */
  constructor(public at = 0) {}

  /** The next of several pickles in a row. */
  next(bytes: Uint8Array): InnerValue {
    const { value, end } = readPickle<Inner>(bytes, this, this.at);
    this.at = end;
    return value;
  }

  /** Checks every tensor, once the storages are there. */
  finish(value: InnerValue): PtValue {
    for (const tensor of this.#tensors) tensor.check();
    // A storage may stand alone in a file; nothing here can use it, so it is passed over as opaque.
    return value as PtValue;
  }

  allows(name: string): boolean {
    return Object.hasOwn(BUILDERS, name) || storageDtype(name) !== undefined;
  }

  build(name: string, args: readonly InnerValue[]): InnerValue {
    const builder = Object.hasOwn(BUILDERS, name) ? BUILDERS[name] : undefined;
    const made = builder?.(args);
    if (made === undefined) throw damaged(`${name} must be given what PyTorch gives it`);
    if (made instanceof PtTensor) this.#tensors.push(made);
    return made;
  }

  /** `("storage", class, key, device, count[, view])`. */
  persistent(id: InnerValue): InnerValue {
    const [kind, type, key, device, count, part] = id instanceof PickleTuple ? id.items : [];
    const dtype = type instanceof PickleGlobal ? storageDtype(type.name) : undefined;
    if (
      kind !== "storage" || dtype === undefined || typeof key !== "string" ||
      typeof device !== "string" || !isCount(count)
    ) {
      throw damaged("a persistent id must name a storage, its type, key, device and size");
    }
    const before = this.storages.get(key);
    if (before && (before.dtype !== dtype || before.count !== count)) {
      throw damaged(`storage ${quote(key)} must have one type and size`);
    }
    const storage = before ?? new PtStorage(key, dtype, count);
    this.storages.set(key, storage);
    if (!(part instanceof PickleTuple)) return storage;
    const [, offset, size] = part.items;
    if (!isCount(offset) || !isCount(size) || offset + size > count) {
      throw damaged(`a part of storage ${quote(key)} must lie inside it`);
    }
    return new PtStorageView(storage, offset, size);
  }
}

function storageDtype(name: string): Dtype | undefined {
  const last = /^torch\.(\w+)$/.exec(name)?.[1] ?? "";
  return Object.hasOwn(STORAGES, last) ? STORAGES[last] : undefined;
}

type Builder = (args: readonly InnerValue[]) => InnerValue | undefined;

/** Constructors by name; each gives undefined for arguments that PyTorch would not write. */
const BUILDERS: Readonly<Record<string, Builder>> = {
  "collections.OrderedDict": orderedDict,
  "torch.Size": ([sizes]) => sizes instanceof PickleTuple ? sizes : undefined,
  "torch._utils._rebuild_tensor": tensor,
  "torch._utils._rebuild_tensor_v2": tensor,
  "torch._utils._rebuild_parameter": ([data]) => data instanceof PtTensor ? data : undefined,
};

/** No arguments, or a list of pairs. */
function orderedDict([pairs, more]: readonly InnerValue[]): InnerValue | undefined {
  const dict = new PickleDict<Inner>();
  if (pairs === undefined) return dict;
  if (!Array.isArray(pairs) || more !== undefined) return undefined;
  for (const pair of pairs) {
    const [key, value] = Array.isArray(pair) ? pair : pair instanceof PickleTuple ? pair.items : [];
    if (typeof key !== "string" && typeof key !== "number") return undefined;
    if (value === undefined) return undefined;
    dict.set(key, value);
  }
  return dict;
}

/** Storage, offset, shape, strides; whether it wants a gradient and its hooks don't matter. */
function tensor([source, offset, shape, strides]: readonly InnerValue[]): PtTensor | undefined {
  if (!(shape instanceof PickleTuple) || !(strides instanceof PickleTuple)) return undefined;
  const sizes = shape.items, steps = strides.items;
  if (!isCount(offset) || !sizes.every(isCount) || !steps.every(isCount)) return undefined;
  if (sizes.length !== steps.length || sizes.length > MAX_RANK) return undefined;
  if (source instanceof PtStorageView) {
    return new PtTensor(source.storage, source.offset + offset, sizes, steps);
  }
  return source instanceof PtStorage ? new PtTensor(source, offset, sizes, steps) : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
