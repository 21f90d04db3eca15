/**
 * Reads and writes NumPy's .npy arrays and .npz archives of them. Arrays of Python objects, which
 * are pickles, are refused. Format: numpy/lib/format.py.
 *
 * @module
 */
import { type Dtype, type StoredTensor, tensorData } from "./safetensors.ts";
import { writeZip, ZipArchive } from "./zip.ts";

/** Element types as NumPy writes them; a byte has no order, which older files spell "<". */
const DTYPES: Readonly<Record<string, Dtype>> = {
  "<f8": "F64",
  "<f4": "F32",
  "<f2": "F16",
  "<i8": "I64",
  "<u8": "U64",
  "<i4": "I32",
  "<u4": "U32",
  "<i2": "I16",
  "<u2": "U16",
  "|i1": "I8",
  "|u1": "U8",
  "|b1": "BOOL",
};

const MAGIC = [0x93, 0x4e, 0x55, 0x4d, 0x50, 0x59];
/** NumPy's own limit on headers that are not trusted. */
const MAX_HEADER_BYTES = 10_000;
const MAX_RANK = 64;
const ALIGNMENT = 64;

function damaged(what: string): SyntaxError {
  return new SyntaxError(`Cannot read npy: ${what}`);
}

/**
 * Reads one array; one in Fortran's order is put in row-major order.
 *
 * @throws {SyntaxError} When the bytes are damaged or cut short.
 * @throws {TypeError} When its elements are not little-endian numbers or booleans.
 */
export function readNpy(bytes: Uint8Array): StoredTensor {
  const { header, start } = readHeader(bytes);
  const { descr, fortran, shape } = parseHeader(header);
  const dtype = Object.hasOwn(DTYPES, descr) ? DTYPES[descr] : undefined;
  if (dtype === undefined) {
    throw new TypeError(
      `Cannot read npy: its type must be one of ${Object.keys(DTYPES).join(", ")}, got ${
        JSON.stringify(descr.slice(0, 60))
      }`,
    );
  }
  const itemBytes = Number(descr[2]);
  const size = shape.includes(0) ? 0 : shape.reduce((product, n) => product * n, itemBytes);
  if (size !== bytes.length - start) {
    throw damaged(
      `an array of type ${descr} and shape [${shape}] must take ${size} bytes, got ` +
        `${bytes.length - start}`,
    );
  }
  const body = bytes.subarray(start);
  const ordered = fortran && shape.length > 1 ? toRowMajor(body, shape, itemBytes) : body;
  return { dtype, shape, data: tensorData(dtype, ordered) };
}

function readHeader(bytes: Uint8Array): { header: string; start: number } {
  if (bytes.length < 10 || MAGIC.some((byte, i) => bytes[i] !== byte)) {
    throw damaged("it must begin with NumPy's signature");
  }
  const major = bytes[6]!;
  if (major < 1 || major > 3) throw damaged(`its version must be 1 to 3, got ${major}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (major > 1 && bytes.length < 12) throw damaged("its header must not be cut short");
  const length = major === 1 ? view.getUint16(8, true) : view.getUint32(8, true);
  const at = major === 1 ? 10 : 12;
  if (length > Math.min(MAX_HEADER_BYTES, bytes.length - at)) {
    throw damaged(
      `its header must be at most ${MAX_HEADER_BYTES} bytes inside the file, got ${length}`,
    );
  }
  const start = at + length;
  return { header: new TextDecoder("latin1").decode(bytes.subarray(at, start)), start };
}

/** A Python dict of exactly three entries, in any order. */
function parseHeader(text: string): { descr: string; fortran: boolean; shape: number[] } {
  const entries = new Map<string, string>();
  const pattern = /\s*'(\w{1,20})'\s*:\s*('[^']{0,60}'|True|False|\([\d\s,L]*\))\s*(,|\})/y;
  pattern.lastIndex = text.indexOf("{") + 1;
  for (let end = ","; end === ",";) {
    const match = pattern.exec(text);
    if (!match) {
      // A comma may stand before the closing brace.
      if (entries.size === 3) break;
      throw damaged("its header must be a dict of descr, fortran_order and shape");
    }
    entries.set(match[1]!, match[2]!);
    end = match[3]!;
  }
  const descr = entries.get("descr") ?? "", order = entries.get("fortran_order") ?? "";
  const sizes = entries.get("shape") ?? "";
  if (
    entries.size !== 3 || !descr.startsWith("'") || !/^(True|False)$/.test(order) ||
    !/^\(\s*(\d+L?\s*,\s*)*(\d+L?\s*)?\)$/.test(sizes)
  ) {
    throw damaged("its header must hold descr, fortran_order and shape");
  }
  const shape = Array.from(sizes.matchAll(/\d+/g), ([digits]) => Number(digits));
  if (shape.length > MAX_RANK || !shape.every(Number.isSafeInteger)) {
    throw damaged(`its shape must be at most ${MAX_RANK} sizes, got ${sizes.slice(0, 60)}`);
  }
  return { descr: descr.slice(1, -1), fortran: order === "True", shape };
}

/** Fortran's order has the first axis innermost. */
function toRowMajor(bytes: Uint8Array, shape: readonly number[], size: number): Uint8Array {
  const result = new Uint8Array(bytes.length);
  const strides = shape.map((_, axis) => shape.slice(0, axis).reduce((a, b) => a * b, 1));
  const index = new Array<number>(shape.length).fill(0);
  for (let to = 0, from = 0; to < result.length; to += size) {
    for (let i = 0; i < size; i++) result[to + i] = bytes[from * size + i]!;
    for (let axis = shape.length - 1; axis >= 0; axis--) {
      from += strides[axis]!;
      if (++index[axis]! < shape[axis]!) break;
      from -= strides[axis]! * shape[axis]!;
      index[axis] = 0;
    }
  }
  return result;
}

/**
 * Writes one array.
 *
 * @throws {TypeError} When NumPy has no such element type.
 */
export function writeNpy({ dtype, shape, data }: StoredTensor): Uint8Array<ArrayBuffer> {
  const descr = Object.entries(DTYPES).find(([, type]) => type === dtype)?.[0];
  if (descr === undefined) {
    throw new TypeError(`Cannot write npy: NumPy must know the element type, got ${dtype}`);
  }
  const sizes = shape.length === 1 ? `${shape[0]},` : shape.join(", ");
  const dict = `{'descr': '${descr}', 'fortran_order': False, 'shape': (${sizes}), }`;
  // Padded with spaces and a line break, so that the elements are aligned.
  const start = Math.ceil((10 + dict.length + 1) / ALIGNMENT) * ALIGNMENT;
  const bytes = new Uint8Array(start + data.byteLength);
  bytes.set([...MAGIC, 1, 0, (start - 10) & 255, (start - 10) >> 8]);
  bytes.set(new TextEncoder().encode(`${dict.padEnd(start - 11)}\n`), 10);
  bytes.set(new Uint8Array(data.buffer, data.byteOffset, data.byteLength), start);
  return bytes;
}

/**
 * Reads the arrays of an .npz by name.
 *
 * @throws {SyntaxError} When the archive or an array is damaged, or something in it is no array.
 * @throws {TypeError} When an array's elements are not little-endian numbers or booleans.
 */
export function readNpz(bytes: Uint8Array): Map<string, StoredTensor> {
  const archive = ZipArchive.open(bytes);
  const arrays = new Map<string, StoredTensor>();
  for (const file of archive.entries.keys()) {
    if (!file.endsWith(".npy")) {
      throw damaged(`an .npz must hold arrays alone, got ${JSON.stringify(file.slice(0, 60))}`);
    }
    arrays.set(file.slice(0, -".npy".length), readNpy(archive.read(file)));
  }
  return arrays;
}

/**
 * Writes an .npz.
 *
 * @param compress As numpy.savez_compressed; stored unless asked for.
 */
export function writeNpz(
  arrays: Iterable<readonly [name: string, array: StoredTensor]>,
  options: { readonly compress?: boolean } = {},
): Uint8Array<ArrayBuffer> {
  const files = Array.from(arrays, ([name, array]) => [`${name}.npy`, writeNpy(array)] as const);
  return writeZip(files, options);
}
