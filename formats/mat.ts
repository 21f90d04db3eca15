/**
 * Reads numeric arrays of MATLAB's Level 5 MAT-files (-v6 and -v7, compressed or not). Format: "MAT-File
 * Format", The MathWorks, chapter 1.
 *
 * @module
 */
import { constants, inflateSync } from "node:zlib";

/** A numeric array in MATLAB's order: the first axis is innermost. */
export interface MatArray {
  /** Sizes of the axes, at least two. */
  readonly shape: readonly number[];
  /** The elements as they are stored, which may be narrower than the array's class. */
  readonly data:
    | Uint8Array
    | Int8Array
    | Uint16Array
    | Int16Array
    | Uint32Array
    | Int32Array
    | Float32Array
    | Float64Array;
}

const HEADER_BYTES = 128, VERSION_AT = 124, VERSION = 0x0100;
const INT8 = 1, INT32 = 5, UINT32 = 6, MATRIX = 14, COMPRESSED = 15;
/** Numeric storage by type: [bytes an element, array]. */
const STORAGE = new Map(
  [
    [1, [1, Int8Array]],
    [2, [1, Uint8Array]],
    [3, [2, Int16Array]],
    [4, [2, Uint16Array]],
    [5, [4, Int32Array]],
    [6, [4, Uint32Array]],
    [7, [4, Float32Array]],
    [9, [8, Float64Array]],
  ] as const,
);
/** Classes of numeric arrays: double, single and integers. */
const FIRST_NUMERIC = 6, LAST_NUMERIC = 15;
const CLASS_NAMES = ["", "cell", "struct", "object", "char", "sparse"];
const COMPLEX = 0x08;
const MAX_RANK = 32, MAX_NAME = 256, MAX_ELEMENTS = 1000;
/** Deflate cannot shrink by more than this factor. */
const MAX_DEFLATE_RATIO = 1032;
/** Enough of a compressed variable for its name: flags, 32 sizes and the longest name. */
const HEAD_BYTES = 512;

function damaged(what: string): SyntaxError {
  return new SyntaxError(`Cannot read MAT-file: ${what}`);
}

/** A data element's place: the bytes of its content and where the next one begins. */
interface Element {
  readonly type: number;
  readonly start: number;
  readonly size: number;
  readonly next: number;
}

/**
 * Reads variables; others are stepped over.
 *
 * @param names The variables that are wanted; those that are missing are missing in the result.
 * @throws {SyntaxError} When the bytes are no Level 5 file, damaged or cut short.
 * @throws {TypeError} When the file is of another version or byte order, or a wanted variable is
 *   no array of real numbers.
 */
export function readMat(bytes: Uint8Array, names: readonly string[]): Map<string, MatArray> {
  checkHeader(bytes);
  const arrays = new Map<string, MatArray>();
  for (let at = HEADER_BYTES, count = 0; at < bytes.length; count++) {
    if (count === MAX_ELEMENTS) throw damaged(`it must have at most ${MAX_ELEMENTS} variables`);
    const element = readTag(bytes, at);
    at = element.next;
    const content = bytes.subarray(element.start, element.start + element.size);
    if (element.type === COMPRESSED) {
      const name = new Matrix(inflateHead(content)).name;
      if (names.includes(name)) store(arrays, new Matrix(inflateWhole(content, name)));
    } else if (element.type === MATRIX) {
      const matrix = new Matrix(content);
      if (names.includes(matrix.name)) store(arrays, matrix);
    }
  }
  return arrays;
}

function store(arrays: Map<string, MatArray>, matrix: Matrix): void {
  if (arrays.has(matrix.name)) throw damaged(`${matrix.shown} must be there once`);
  arrays.set(matrix.name, matrix.read());
}

function checkHeader(bytes: Uint8Array): void {
  if (bytes.length < HEADER_BYTES) {
    throw damaged(`its header must have ${HEADER_BYTES} bytes, got ${bytes.length}`);
  }
  const view = viewOf(bytes);
  const order = String.fromCharCode(bytes[126]!, bytes[127]!);
  if (order === "MI") {
    throw new TypeError("Cannot read MAT-file: it must be little-endian, got a big-endian one");
  }
  const version = view.getUint16(VERSION_AT, true);
  if (order === "IM" && version === 0x0200) {
    throw new TypeError(
      "Cannot read MAT-file: it must be of version 5 to 7, got 7.3, which is HDF5; save it with -v7",
    );
  }
  if (order !== "IM" || version !== VERSION) {
    throw damaged("its header must end with version 0x0100 and the byte order IM");
  }
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** A tag of eight bytes, or of four when up to four bytes of content follow in the same eight. */
function readTag(bytes: Uint8Array, at: number, limit = bytes.length): Element {
  if (at + 8 > limit) throw damaged(`an element at byte ${at} must have a tag, it is cut short`);
  const view = viewOf(bytes);
  const first = view.getUint32(at, true);
  const isSmall = first > 0xffff;
  const type = first & 0xffff, size = isSmall ? first >>> 16 : view.getUint32(at + 4, true);
  const start = at + (isSmall ? 4 : 8);
  if (isSmall && size > 4) throw damaged(`a short element at byte ${at} must have 1 to 4 bytes`);
  if (size > limit - start) {
    throw damaged(
      `an element at byte ${at} must have its ${size} bytes, got ${Math.max(0, limit - start)}`,
    );
  }
  const padded = type === COMPRESSED ? size : Math.ceil(size / 8) * 8;
  return { type, start, size, next: isSmall ? at + 8 : Math.min(start + padded, limit) };
}

/** The first bytes of a compressed variable, after its tag. */
function inflateHead(packed: Uint8Array): Uint8Array {
  return inflate(() =>
    inflateSync(packed.subarray(0, HEAD_BYTES), {
      finishFlush: constants.Z_SYNC_FLUSH,
      maxOutputLength: HEAD_BYTES * MAX_DEFLATE_RATIO,
    })
  ).subarray(8);
}

/** A compressed variable, as long as its own tag says. */
function inflateWhole(packed: Uint8Array, name: string): Uint8Array {
  const head = inflate(() =>
    inflateSync(packed.subarray(0, HEAD_BYTES), { finishFlush: constants.Z_SYNC_FLUSH })
  );
  const size = 8 + viewOf(head).getUint32(4, true);
  if (size > packed.length * MAX_DEFLATE_RATIO) {
    throw damaged(`${shown(name)} of ${size} bytes must not come from ${packed.length} bytes`);
  }
  const whole = inflate(() => inflateSync(packed, { maxOutputLength: size + 1 }));
  if (whole.length !== size) {
    throw damaged(`${shown(name)} must inflate to ${size} bytes, got ${whole.length}`);
  }
  return whole.subarray(8);
}

function inflate(action: () => Uint8Array): Uint8Array {
  let bytes;
  try {
    bytes = plain(action());
  } catch (error) {
    const reason = (error as Error).message.replaceAll(/\s+/g, " ");
    throw damaged(`a compressed variable must be zlib data of the size it says (${reason})`);
  }
  if (bytes.length < 8 || viewOf(bytes).getUint32(0, true) !== MATRIX) {
    throw damaged("a compressed variable must begin with a matrix");
  }
  return bytes;
}

/** Not a Buffer, whose slices are views. */
function plain({ buffer, byteOffset, length }: Uint8Array): Uint8Array {
  return new Uint8Array(buffer, byteOffset, length);
}

function shown(name: string): string {
  return JSON.stringify(name.length > 60 ? `${name.slice(0, 57)}...` : name);
}

/** A variable: its name and shape are read at once, its elements when they are asked for. */
class Matrix {
  readonly name: string;
  readonly #shape: number[];
  readonly #class: number;
  readonly #isComplex: boolean;
  readonly #dataAt: number;

  constructor(private readonly bytes: Uint8Array) {
    const view = viewOf(bytes);
    const flags = readTag(bytes, 0);
    if (flags.type !== UINT32 || flags.size !== 8) {
      throw damaged("a variable must begin with flags");
    }
    this.#class = bytes[flags.start]!;
    this.#isComplex = (bytes[flags.start + 1]! & COMPLEX) !== 0;
    const sizes = readTag(bytes, flags.next);
    const rank = sizes.size / 4;
    if (sizes.type !== INT32 || !Number.isInteger(rank) || rank < 2 || rank > MAX_RANK) {
      throw damaged(`a variable must have 2 to ${MAX_RANK} sizes`);
    }
    this.#shape = Array.from({ length: rank }, (_, i) => view.getInt32(sizes.start + 4 * i, true));
    const name = readTag(bytes, sizes.next);
    if (name.type !== INT8 || name.size > MAX_NAME) {
      throw damaged(`a variable must have a name of at most ${MAX_NAME} bytes`);
    }
    this.name = new TextDecoder("latin1").decode(
      bytes.subarray(name.start, name.start + name.size),
    );
    this.#dataAt = name.next;
  }

  get shown(): string {
    return shown(this.name);
  }

  read(): MatArray {
    const kind = this.#class;
    if (kind < FIRST_NUMERIC || kind > LAST_NUMERIC || this.#isComplex) {
      const got = this.#isComplex ? "complex ones" : CLASS_NAMES[kind] || `class ${kind}`;
      throw new TypeError(
        `Cannot read MAT-file: ${this.shown} must be an array of real numbers, got ${got}`,
      );
    }
    const element = readTag(this.bytes, this.#dataAt);
    const storage = STORAGE.get(element.type as 1);
    if (!storage) {
      throw new TypeError(
        `Cannot read MAT-file: ${this.shown} must be stored as numbers of up to 32 bits or ` +
          `doubles, got type ${element.type}`,
      );
    }
    const [size, TypedArray] = storage;
    const shape = this.#shape;
    const isEmpty = shape.includes(0);
    const count = isEmpty ? 0 : shape.reduce((product, n) => product * n, 1);
    if (shape.some((n) => n < 0) || count * size !== element.size) {
      throw damaged(
        `${this.shown} of shape [${shape}] must have ${count * size} bytes, got ${element.size}`,
      );
    }
    const part = this.bytes.subarray(element.start, element.start + element.size);
    if (size === 1 && element.type === 2) return { shape, data: part };
    return { shape, data: new TypedArray(new Uint8Array(part).buffer) };
  }
}
