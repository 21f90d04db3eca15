/**
 * Reads pickles of plain data and NumPy arrays, as Python 2 and 3 wrote them, without running
 * anything: five names are known, and what they build is data. Sources: numpy/core/src/multiarray
 * (array_reduce, arraydescr_reduce), CPython's Lib/pickle.py.
 *
 * @module
 */
import { readPickle } from "./pickle.ts";
import { PickleGlobal, type PickleHost, PickleTuple, type PickleValue } from "./pickle_values.ts";

/** An element type, as in "u1". */
class NumpyDtype {
  /** "<" or "|"; big-endian is refused. */
  order = "|";

  constructor(readonly name: string) {}

  get bytes(): number {
    return Number(this.name.slice(1));
  }
}

/** An array. */
export class NumpyArray {
  /** Kind and bytes of an element: "u1", "i8", "f4". */
  dtype = "";
  shape: readonly number[] = [];
  /** Whether the first axis is innermost. */
  fortran = false;
  /** The elements, little-endian: a view where that is possible. */
  data = new Uint8Array(0) as Uint8Array;
}

/** A value in a pickle of arrays. */
export type NumpyValue = PickleValue<NumpyArray | NumpyDtype>;

const RECONSTRUCT = ["numpy.core.multiarray._reconstruct", "numpy._core.multiarray._reconstruct"];
const NAMES = [...RECONSTRUCT, "numpy.ndarray", "numpy.dtype", "_codecs.encode"];
/** Longer strings of Python 2 are bytes: the content of arrays. */
const LONGEST_TEXT = 256;
const MAX_RANK = 32;

function damaged(what: string): SyntaxError {
  return new SyntaxError(`Cannot read pickle: ${what}`);
}

/**
 * Reads the pickle that a file holds.
 *
 * @throws {SyntaxError} When the bytes are damaged or refer to anything but arrays.
 */
export function readNumpyPickle(bytes: Uint8Array): NumpyValue {
  const { value, end } = readPickle(bytes, HOST);
  if (end !== bytes.length) {
    throw damaged(`the file must end after byte ${end}, got ${bytes.length - end} bytes more`);
  }
  return value;
}

const HOST: PickleHost<NumpyArray | NumpyDtype> = {
  allows: (name) => NAMES.includes(name),
  build(name, args) {
    if (RECONSTRUCT.includes(name)) return emptyArray(args);
    if (name === "numpy.dtype") return dtype(args);
    if (name === "_codecs.encode") return encoded(args);
    throw damaged(`${name} must not be called`);
  },
  persistent: () => {
    throw damaged("it must not refer to anything outside itself");
  },
  legacyString: (bytes) => bytes.length > LONGEST_TEXT ? bytes : latin1Text(bytes),
  setState(target, state) {
    if (!(state instanceof PickleTuple)) return false;
    if (target instanceof NumpyDtype) setOrder(target, state.items);
    else if (target instanceof NumpyArray) fill(target, state.items);
    else return false;
    return true;
  },
};

function latin1Text(bytes: Uint8Array): string {
  return new TextDecoder("latin1").decode(bytes);
}

function shown(value: NumpyValue | undefined): string {
  return typeof value === "string" ? JSON.stringify(value.slice(0, 20)) : typeof value;
}

function emptyArray([type]: readonly NumpyValue[]): NumpyArray {
  if (!(type instanceof PickleGlobal) || type.name !== "numpy.ndarray") {
    throw damaged("an array must be a numpy.ndarray");
  }
  return new NumpyArray();
}

function dtype([name]: readonly NumpyValue[]): NumpyDtype {
  const text = name instanceof Uint8Array ? latin1Text(name.subarray(0, 8)) : name;
  if (typeof text !== "string" || !/^[biuf][1248]$/.test(text)) {
    throw damaged(`an element type must be a number such as "u1", got ${shown(text)}`);
  }
  return new NumpyDtype(text);
}

/** Python 3 writes bytes in protocol 2 as text, and how to get them back. */
function encoded([text, codec]: readonly NumpyValue[]): Uint8Array {
  if (typeof text !== "string" || codec !== "latin1") {
    throw damaged("bytes must be given as text and latin1");
  }
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    if (code > 255) throw damaged(`character ${i} of bytes must be of Latin-1, got ${code}`);
    bytes[i] = code;
  }
  return bytes;
}

/** State of a dtype: version, byte order and more that plain numbers have no use for. */
function setOrder(target: NumpyDtype, [, order]: readonly NumpyValue[]): void {
  const text = order instanceof Uint8Array ? latin1Text(order.subarray(0, 8)) : order;
  if (text !== "<" && text !== "|" && text !== "=") {
    throw damaged(`elements must be little-endian, got ${shown(text)}`);
  }
  target.order = text;
}

/** State of an array: version, shape, dtype, whether in Fortran's order, content. */
function fill(target: NumpyArray, items: readonly NumpyValue[]): void {
  const [, shape, type, fortran, content] = items;
  if (!(shape instanceof PickleTuple) || !(type instanceof NumpyDtype) || items.length !== 5) {
    throw damaged("an array's state must be a version, shape, type, order and content");
  }
  const sizes = shape.items.map((size) => {
    if (typeof size !== "number" || size < 0) throw damaged("an array's sizes must be at least 0");
    return size;
  });
  if (sizes.length > MAX_RANK) throw damaged(`an array must have at most ${MAX_RANK} axes`);
  const bytes = typeof content === "string" ? encoded([content, "latin1"]) : content;
  const needed = sizes.includes(0) ? 0 : sizes.reduce((product, n) => product * n, type.bytes);
  if (!(bytes instanceof Uint8Array) || bytes.length !== needed) {
    throw damaged(
      `an array of type ${type.name} and shape [${sizes}] must have ${needed} bytes, got ${
        bytes instanceof Uint8Array ? bytes.length : "none"
      }`,
    );
  }
  target.dtype = type.name;
  target.shape = sizes;
  target.fortran = fortran === true || fortran === 1;
  target.data = bytes;
}
