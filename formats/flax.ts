/**
 * Reads checkpoints of flax (`flax.serialization`): MessagePack whose arrays are values of a type of
 * their own, each a list of shape, type and bytes.
 *
 * @module
 */
import { type MsgpackExtension, type MsgpackValue, readMsgpack } from "./msgpack.ts";
import { type Dtype, type StoredTensor, tensorData } from "./safetensors.ts";

export { looksLikeMsgpack as looksLikeFlax } from "./msgpack.ts";

/** Types of values: arrays, and arrays without axes. */
const ARRAY = 1, SCALAR = 3;
/** What stands for an array that is kept in pieces. */
const CHUNKED = "__msgpack_chunked_array__";

const DTYPES: Readonly<Record<string, Dtype>> = {
  float64: "F64",
  float32: "F32",
  float16: "F16",
  bfloat16: "BF16",
  int64: "I64",
  int32: "I32",
  int16: "I16",
  int8: "I8",
  uint64: "U64",
  uint32: "U32",
  uint16: "U16",
  uint8: "U8",
  bool: "BOOL",
};

/** A checkpoint's arrays and plain values by dotted names. */
export interface FlaxCheckpoint {
  readonly tensors: ReadonlyMap<string, StoredTensor>;
  readonly facts: ReadonlyMap<string, unknown>;
}

/**
 * Reads a checkpoint.
 *
 * @throws {SyntaxError} When it is damaged, or holds what flax does not write.
 * @throws {RangeError} When an array is kept in pieces, as those over 1 GiB are.
 */
export function readFlax(bytes: Uint8Array): FlaxCheckpoint {
  const tensors = new Map<string, StoredTensor>(), facts = new Map<string, unknown>();
  const visit = (value: MsgpackValue, path: string): void => {
    if (tensors.has(path) || facts.has(path)) {
      throw damaged(`${JSON.stringify(path)} must be one thing`);
    }
    if (value instanceof Map) {
      if (value.has(CHUNKED)) {
        throw new RangeError(
          `Cannot read a flax checkpoint: ${path} must be one array, it is kept in pieces`,
        );
      }
      for (const [key, item] of value) visit(item, path === "" ? key : `${path}.${key}`);
    } else if (isExtension(value)) {
      const tensor = arrayOf(value, path);
      if (tensor.shape.length > 0) tensors.set(path, tensor);
      else facts.set(path, Number(tensor.data[0]));
    } else facts.set(path, typeof value === "bigint" ? `${value}` : value);
  };
  visit(readMsgpack(bytes), "");
  return { tensors, facts };
}

function isExtension(value: MsgpackValue): value is MsgpackExtension {
  return typeof value === "object" && value !== null && "type" in value;
}

function arrayOf({ type, data }: MsgpackExtension, path: string): StoredTensor {
  if (type !== ARRAY && type !== SCALAR) {
    throw damaged(`${path} must be an array, got a value of type ${type}`);
  }
  const parts = readMsgpack(data);
  const [shape, name, bytes] = Array.isArray(parts) ? parts as readonly MsgpackValue[] : [];
  const dtype = typeof name === "string" ? DTYPES[name] : undefined;
  const sizes = Array.isArray(shape) ? shape as readonly MsgpackValue[] : undefined;
  if (!dtype || !sizes?.every(Number.isSafeInteger) || !(bytes instanceof Uint8Array)) {
    throw damaged(
      `${path} must have a shape, a type such as float32 and bytes, got ${JSON.stringify(name)}`,
    );
  }
  const numbers = sizes as readonly number[];
  const items = tensorData(dtype, bytes);
  const wanted = numbers.reduce((product, n) => product * n, 1);
  if (numbers.some((n) => n < 0) || items.length !== wanted) {
    throw damaged(`${path} of shape [${numbers}] must have ${wanted} values, got ${items.length}`);
  }
  return { dtype, shape: numbers, data: items };
}

function damaged(reason: string): SyntaxError {
  return new SyntaxError(`Cannot read a flax checkpoint: ${reason}`);
}
