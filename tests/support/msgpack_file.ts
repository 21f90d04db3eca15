/** What {@linkcode msgpack} writes: values of MessagePack, arrays of numbers as flax has them. */
export type Packed =
  | null
  | boolean
  | number
  | string
  | Uint8Array
  | readonly Packed[]
  | { readonly [key: string]: Packed }
  | PackedArray;

/** An array as flax has them. */
interface PackedArray {
  readonly shape: readonly number[];
  readonly values: Float32Array;
}

function isArray(value: object): value is PackedArray {
  return "values" in value && value.values instanceof Float32Array;
}

/** MessagePack of a value. */
export function msgpack(value: Packed): Uint8Array<ArrayBuffer> {
  const parts = partsOf(value);
  const bytes = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let at = 0;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.length;
  }
  return bytes;
}

function partsOf(value: Packed): ArrayLike<number>[] {
  if (value === null) return [[0xc0]];
  if (typeof value === "boolean") return [[value ? 0xc3 : 0xc2]];
  if (typeof value === "number") return [value < 128 ? [value] : [0xce, ...big(value)]];
  if (typeof value === "string") {
    const text = new TextEncoder().encode(value);
    return [text.length < 32 ? [0xa0 | text.length] : [0xd9, text.length], text];
  }
  if (value instanceof Uint8Array) return [[0xc6, ...big(value.length)], value];
  if (Array.isArray(value)) {
    return [[0x90 | value.length], ...(value as readonly Packed[]).flatMap(partsOf)];
  }
  if (isArray(value)) {
    const bytes = new Uint8Array(value.values.slice().buffer);
    const array = msgpack([value.shape, "float32", bytes]);
    return [[0xc9, ...big(array.length), 1], array];
  }
  const items = Object.entries(value as Record<string, Packed>);
  return [
    [0xde, items.length >> 8, items.length & 255],
    ...items.flatMap(([key, item]) => [...partsOf(key), ...partsOf(item)]),
  ];
}

const big = (value: number) => [24, 16, 8, 0].map((shift) => (value >>> shift) & 255);
