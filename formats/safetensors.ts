/**
 * Reads and writes safetensors: a u64 little-endian header length, a JSON header padded with
 * spaces to 8 bytes, then the raw little-endian tensors one after the other. Format:
 * https://github.com/huggingface/safetensors
 *
 * @module
 */
import { knownBeginning } from "./beginnings.ts";
import { headerEntries, METADATA } from "./safetensors_header.ts";

/**
 * Element types and the array that holds each. F16 and BF16 are kept as raw 16-bit words, BOOL as
 * one byte an element.
 */
const DTYPES = {
  F64: Float64Array,
  F32: Float32Array,
  F16: Uint16Array,
  BF16: Uint16Array,
  I64: BigInt64Array,
  U64: BigUint64Array,
  I32: Int32Array,
  U32: Uint32Array,
  I16: Int16Array,
  U16: Uint16Array,
  I8: Int8Array,
  U8: Uint8Array,
  BOOL: Uint8Array,
} as const;

/** An element type of a safetensors file. */
export type Dtype = keyof typeof DTYPES;

/** An array that holds a tensor's elements. */
export type TensorData = InstanceType<typeof DTYPES[Dtype]>;

/** What a tensor is, without its elements. */
export interface TensorSpec {
  /** The element type. */
  readonly dtype: Dtype;
  /** The dimensions, outermost first; empty for a scalar. */
  readonly shape: readonly number[];
}

/** A tensor with its elements in row-major order. */
export interface StoredTensor extends TensorSpec {
  /** As many elements as the shape has; the array class belongs to the dtype. */
  readonly data: TensorData;
}

/** A tensor's place in a file. */
export interface TensorPlace extends TensorSpec {
  /** First byte, counted from the start of the file. */
  readonly start: number;
  /** First byte after the tensor, counted from the start of the file. */
  readonly end: number;
}

/** A file's header. */
export interface SafetensorsHeader {
  /** The strings under `__metadata__`. */
  readonly metadata: Record<string, string>;
  /** The tensors in the order of their bytes. */
  readonly tensors: Map<string, TensorPlace>;
}

/** What a file holds. */
export interface SafetensorsFile {
  /** The strings under `__metadata__`. */
  readonly metadata: Record<string, string>;
  /** The tensors in the order of their bytes. */
  readonly tensors: Map<string, StoredTensor>;
}

/** Room for 100,000 tensors and more; a larger header is refused, in bytes. */
const MAX_HEADER_BYTES = 16 << 20;

function damaged(what: string): SyntaxError {
  return new SyntaxError(`Cannot read safetensors: ${what}`);
}

/**
 * Reads the header alone, so that a big file can be read tensor by tensor.
 *
 * @param bytes The start of the file: at least its first 8 bytes and its header.
 * @param fileSize Bytes of the whole file; the tensors must fill it exactly. Default: `bytes`.
 * @throws SyntaxError when the bytes break the format; a wrong tensor is named.
 */
export function readSafetensorsHeader(
  bytes: Uint8Array,
  fileSize: number = bytes.length,
): SafetensorsHeader {
  const declared = bytes.length < 8
    ? null
    : new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength).getBigUint64(0, true);
  if (declared === null || declared > BigInt(Math.min(MAX_HEADER_BYTES, bytes.length - 8))) {
    const kind = knownBeginning(bytes);
    throw damaged(
      kind !== null
        ? `the file must be safetensors, got ${kind}`
        : declared === null
        ? `the file must begin with 8 bytes of header length, got ${bytes.length} bytes`
        : `the header length must be at most ${MAX_HEADER_BYTES} and inside the ` +
          `${bytes.length} bytes at hand, got ${declared}`,
    );
  }
  const dataStart = 8 + Number(declared);
  const places: [string, TensorPlace][] = [];
  let metadata: Record<string, string> = {};
  for (const [name, value] of parsedEntries(bytes.subarray(8, dataStart))) {
    if (name === METADATA) metadata = readMetadata(value);
    else places.push([name, readPlace(name, value, dataStart, fileSize)]);
  }
  places.sort(([, a], [, b]) => a.start - b.start || a.end - b.end);
  checkCover(places, dataStart, fileSize);
  return { metadata, tensors: new Map(places) };
}

/**
 * Reads a whole file. Tensors are views of `bytes` where their place is aligned, else copies.
 *
 * @throws SyntaxError when the bytes break the format; a wrong tensor is named.
 */
export function readSafetensors(bytes: Uint8Array): SafetensorsFile {
  const { metadata, tensors } = readSafetensorsHeader(bytes);
  const read = new Map<string, StoredTensor>();
  for (const [name, { dtype, shape, start, end }] of tensors) {
    read.set(name, { dtype, shape, data: tensorData(dtype, bytes.subarray(start, end)) });
  }
  return { metadata, tensors: read };
}

/**
 * The elements in a tensor's bytes: a view when they are aligned to the element size, else a copy.
 *
 * @throws RangeError when the bytes are not a whole number of elements.
 */
export function tensorData(dtype: Dtype, bytes: Uint8Array): TensorData {
  const Type = DTYPES[dtype];
  if (bytes.length % Type.BYTES_PER_ELEMENT !== 0) {
    throw new RangeError(
      `Cannot view ${dtype} elements: the byte count must be a multiple of ` +
        `${Type.BYTES_PER_ELEMENT}, got ${bytes.length}`,
    );
  }
  const aligned = bytes.byteOffset % Type.BYTES_PER_ELEMENT === 0 ? bytes : bytes.slice();
  return new Type(
    aligned.buffer as ArrayBuffer,
    aligned.byteOffset,
    aligned.length / Type.BYTES_PER_ELEMENT,
  );
}

/** The header's entries, with what is wrong about it in this file's words. */
function* parsedEntries(bytes: Uint8Array): Generator<[name: string, value: unknown]> {
  const entries = headerEntries(bytes);
  while (true) {
    let next;
    try {
      next = entries.next();
    } catch (error) {
      throw damaged(`the header ${(error as Error).message}`);
    }
    if (next.done) return;
    yield next.value;
  }
}

function isRecord(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function readMetadata(value: unknown): Record<string, string> {
  if (!isRecord(value)) throw damaged("__metadata__ must be an object of strings");
  for (const [key, text] of Object.entries(value)) {
    if (typeof text !== "string") {
      throw damaged(`__metadata__ key ${JSON.stringify(key)} must be a string, got ${typeof text}`);
    }
  }
  return value as Record<string, string>;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}

function readPlace(
  name: string,
  value: unknown,
  dataStart: number,
  fileSize: number,
): TensorPlace {
  const tensor = `tensor ${JSON.stringify(name)}`;
  if (!isRecord(value)) throw damaged(`${tensor} must be described by an object`);
  const { dtype, shape, data_offsets: offsets } = value;
  if (typeof dtype !== "string" || !Object.hasOwn(DTYPES, dtype)) {
    throw damaged(
      `${tensor} must have one of the types ${Object.keys(DTYPES).join(", ")}, ` +
        `got ${JSON.stringify(dtype)}`,
    );
  }
  if (!Array.isArray(shape) || !shape.every(isCount)) {
    throw damaged(`the shape of ${tensor} must be a list of integers of at least 0`);
  }
  if (!Array.isArray(offsets) || offsets.length !== 2 || !offsets.every(isCount)) {
    throw damaged(`the data_offsets of ${tensor} must be two integers of at least 0`);
  }
  const [from, to] = offsets as [number, number];
  if (from > to || to > fileSize - dataStart) {
    throw damaged(
      `the data_offsets of ${tensor} must lie in order inside the ${fileSize - dataStart} bytes ` +
        `of data, got [${from}, ${to}]`,
    );
  }
  const size = byteSize({ dtype: dtype as Dtype, shape });
  if (size !== to - from) {
    throw damaged(
      `${tensor} of type ${dtype} and shape [${shape}] must take ${size} bytes, got ${to - from}`,
    );
  }
  return { dtype: dtype as Dtype, shape, start: dataStart + from, end: dataStart + to };
}

/** Bytes that a tensor takes. Not finite or not an integer when the shape is absurd. */
function byteSize({ dtype, shape }: TensorSpec): number {
  // Any zero makes the tensor empty, however large its other dimensions are.
  if (shape.includes(0)) return 0;
  return shape.reduce((product, n) => product * n, DTYPES[dtype].BYTES_PER_ELEMENT);
}

function checkCover(places: [string, TensorPlace][], dataStart: number, fileSize: number): void {
  let at = dataStart;
  let before = "the header";
  for (const [name, { start, end }] of places) {
    const tensor = `tensor ${JSON.stringify(name)}`;
    if (start < at) {
      throw damaged(`${tensor} must begin at byte ${at}, after ${before}, but overlaps it`);
    }
    if (start > at) {
      throw damaged(`${tensor} must begin at byte ${at}, after ${before}, got byte ${start}`);
    }
    at = end;
    before = tensor;
  }
  if (at !== fileSize) {
    throw damaged(`the file must end at byte ${at}, after ${before}, got ${fileSize} bytes`);
  }
}

/**
 * The bytes of a file up to its first tensor, for writers that fetch the elements one tensor at a
 * time: these bytes, then each tensor's little-endian elements in the same order, make the file.
 *
 * @throws TypeError when a name is used twice or is `__metadata__`, or a metadata value is no string.
 * @throws RangeError when a shape has something else than integers of at least 0.
 */
export function safetensorsHeader(
  tensors: Iterable<readonly [string, TensorSpec]>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  // Put together by hand: an object would move names like "0" to the front.
  const parts: string[] = [];
  if (Object.keys(metadata).length > 0) {
    for (const [key, value] of Object.entries(metadata)) {
      if (typeof value !== "string") {
        throw new TypeError(
          `Cannot write safetensors: metadata ${JSON.stringify(key)} must be a string, ` +
            `got ${typeof value}`,
        );
      }
    }
    parts.push(`"__metadata__":${JSON.stringify(metadata)}`);
  }
  const seen = new Set(["__metadata__"]);
  let at = 0;
  for (const [name, { dtype, shape }] of tensors) {
    const tensor = `tensor ${JSON.stringify(name)}`;
    if (seen.has(name)) {
      throw new TypeError(`Cannot write safetensors: the name of ${tensor} must be free`);
    }
    seen.add(name);
    if (!shape.every(isCount)) {
      throw new RangeError(
        `Cannot write safetensors: the shape of ${tensor} must be integers of at least 0, ` +
          `got [${shape}]`,
      );
    }
    const end = at + byteSize({ dtype, shape });
    parts.push(
      `${
        JSON.stringify(name)
      }:{"dtype":"${dtype}","shape":[${shape}],"data_offsets":[${at},${end}]}`,
    );
    at = end;
  }
  const json = new TextEncoder().encode(`{${parts.join(",")}}`);
  const bytes = new Uint8Array(8 + Math.ceil(json.length / 8) * 8).fill(0x20);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(bytes.length - 8), true);
  bytes.set(json, 8);
  return bytes;
}

/**
 * A file in pieces: the header, then each tensor's bytes as a view of its array (nothing is
 * copied). Equal input gives equal bytes; tensors keep the given order, so put wide types first
 * when their views should stay aligned.
 *
 * @throws TypeError when a name is used twice, or an array's class does not belong to its dtype.
 * @throws RangeError when an array's length does not fit its shape.
 */
export function* safetensorsChunks(
  tensors: Iterable<readonly [string, StoredTensor]>,
  metadata: Readonly<Record<string, string>> = {},
): Generator<Uint8Array> {
  const list = [...tensors];
  for (const [name, { dtype, shape, data }] of list) {
    const Type = DTYPES[dtype];
    if (!(data instanceof Type)) {
      throw new TypeError(
        `Cannot write safetensors: tensor ${JSON.stringify(name)} of type ${dtype} must be held ` +
          `by ${Type.name}, got ${(data as TensorData).constructor.name}`,
      );
    }
    if (data.byteLength !== byteSize({ dtype, shape })) {
      throw new RangeError(
        `Cannot write safetensors: tensor ${JSON.stringify(name)} of shape [${shape}] must have ` +
          `${byteSize({ dtype, shape }) / Type.BYTES_PER_ELEMENT} elements, got ${data.length}`,
      );
    }
  }
  yield safetensorsHeader(list, metadata);
  for (const [, { data }] of list) {
    if (data.byteLength > 0) {
      yield new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    }
  }
}

/**
 * A whole file in one array. For big checkpoints write {@linkcode safetensorsChunks} instead.
 *
 * @throws TypeError, RangeError as {@linkcode safetensorsChunks}.
 */
export function writeSafetensors(
  tensors: Iterable<readonly [string, StoredTensor]>,
  metadata: Readonly<Record<string, string>> = {},
): Uint8Array<ArrayBuffer> {
  const chunks = [...safetensorsChunks(tensors, metadata)];
  const bytes = new Uint8Array(chunks.reduce((sum, chunk) => sum + chunk.length, 0));
  let at = 0;
  for (const chunk of chunks) {
    bytes.set(chunk, at);
    at += chunk.length;
  }
  return bytes;
}
