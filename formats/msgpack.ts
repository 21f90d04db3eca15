/**
 * Reads MessagePack (github.com/msgpack/msgpack/blob/master/spec.md), as flax keeps checkpoints in.
 *
 * @module
 */

/** A value of a type of its own, by the number of the type. */
export interface MsgpackExtension {
  readonly type: number;
  readonly data: Uint8Array;
}

/** What a file holds; maps have texts and whole numbers for keys, written out. */
export type MsgpackValue =
  | null
  | boolean
  | number
  | bigint
  | string
  | Uint8Array
  | readonly MsgpackValue[]
  | ReadonlyMap<string, MsgpackValue>
  | MsgpackExtension;

/** Values inside each other. */
const DEEPEST = 64;

/** Whether bytes begin as a map with a text for its first key does; no safetensors file does. */
export function looksLikeMsgpack(bytes: Uint8Array): boolean {
  const [map = 0] = bytes;
  const key = map === 0xde ? 3 : map === 0xdf ? 5 : 1;
  const first = bytes[key] ?? 0;
  const isMap = (map >> 4 === 8 && map !== 0x80) || key > 1;
  return isMap && (first >> 5 === 5 || first === 0xd9) && bytes.subarray(4, 8).some((b) => b !== 0);
}

/**
 * Reads one value that fills the bytes.
 *
 * @throws {SyntaxError} When they are damaged, cut short or nested too deeply.
 */
export function readMsgpack(bytes: Uint8Array): MsgpackValue {
  const reader = new Reader(bytes);
  const value = reader.value(0);
  if (reader.left > 0) throw damaged(`it must end with its value, ${reader.left} bytes follow`);
  return value;
}

function damaged(reason: string): SyntaxError {
  return new SyntaxError(`Cannot read MessagePack: ${reason}`);
}

/** Bytes of the sizes and numbers that follow a byte of this kind. */
const WIDTHS = [1, 2, 4, 8] as const;

class Reader {
  readonly #bytes: Uint8Array;
  readonly #view: DataView;
  #at = 0;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  }

  get left(): number {
    return this.#bytes.length - this.#at;
  }

  value(depth: number): MsgpackValue {
    if (depth > DEEPEST) throw damaged(`its values must be at most ${DEEPEST} levels deep`);
    const kind = this.#unsigned(1);
    if (kind < 0x80) return kind;
    if (kind < 0x90) return this.#map(kind & 15, depth);
    if (kind < 0xa0) return this.#list(kind & 15, depth);
    if (kind < 0xc0) return this.#text(kind & 31);
    if (kind >= 0xe0) return kind - 256;
    if (kind >= 0xc4 && kind <= 0xc6) return this.#take(this.#size(kind - 0xc4));
    if (kind >= 0xc7 && kind <= 0xc9) return this.#extension(this.#size(kind - 0xc7));
    if (kind >= 0xcc && kind <= 0xcf) return this.#unsigned(WIDTHS[kind - 0xcc]!);
    if (kind >= 0xd0 && kind <= 0xd3) return this.#signed(WIDTHS[kind - 0xd0]!);
    if (kind >= 0xd4 && kind <= 0xd8) return this.#extension(1 << (kind - 0xd4));
    if (kind >= 0xd9 && kind <= 0xdb) return this.#text(this.#size(kind - 0xd9));
    switch (kind) {
      case 0xc0:
        return null;
      case 0xc2:
        return false;
      case 0xc3:
        return true;
      case 0xca:
        return this.#view.getFloat32(this.#pass(4));
      case 0xcb:
        return this.#view.getFloat64(this.#pass(8));
      case 0xdc:
      case 0xdd:
        return this.#list(this.#size(kind - 0xdb), depth);
      case 0xde:
      case 0xdf:
        return this.#map(this.#size(kind - 0xdd), depth);
    }
    throw damaged(`byte ${this.#at - 1} must begin a value, got 0x${kind.toString(16)}`);
  }

  /** @param log Of the size's bytes. */
  #size(log: number): number {
    return Number(this.#unsigned(WIDTHS[log]!));
  }

  #list(count: number, depth: number): MsgpackValue[] {
    this.#check(count);
    return Array.from({ length: count }, () => this.value(depth + 1));
  }

  #map(count: number, depth: number): Map<string, MsgpackValue> {
    this.#check(2 * count);
    const map = new Map<string, MsgpackValue>();
    for (let i = 0; i < count; i++) {
      const key = this.value(depth + 1);
      const isKey = typeof key === "string" || typeof key === "number" || typeof key === "bigint";
      if (!isKey || map.has(`${key}`)) {
        throw damaged("a map's keys must be texts or whole numbers, each there once");
      }
      map.set(`${key}`, this.value(depth + 1));
    }
    return map;
  }

  #extension(size: number): MsgpackExtension {
    const type = Number(this.#signed(1));
    return { type, data: this.#take(size) };
  }

  #text(size: number): string {
    try {
      return new TextDecoder("utf-8", { fatal: true }).decode(this.#take(size));
    } catch (cause) {
      if (cause instanceof SyntaxError) throw cause;
      throw damaged("its texts must be UTF-8");
    }
  }

  #take(size: number): Uint8Array {
    const start = this.#pass(size);
    return this.#bytes.subarray(start, start + size);
  }

  #unsigned(width: 1): number;
  #unsigned(width: number): number | bigint;
  #unsigned(width: number): number | bigint {
    const at = this.#pass(width);
    if (width === 8) return this.#view.getBigUint64(at);
    return width === 1
      ? this.#view.getUint8(at)
      : width === 2
      ? this.#view.getUint16(at)
      : this.#view.getUint32(at);
  }

  #signed(width: number): number | bigint {
    const at = this.#pass(width);
    if (width === 8) return this.#view.getBigInt64(at);
    return width === 1
      ? this.#view.getInt8(at)
      : width === 2
      ? this.#view.getInt16(at)
      : this.#view.getInt32(at);
  }

  /** Each value takes a byte at least, so that no list is longer than what is left. */
  #check(count: number): void {
    if (count <= this.left) return;
    throw damaged(`${count} values must fit in the ${this.left} bytes that are left`);
  }

  #pass(size: number): number {
    if (size > this.left) {
      throw damaged(`it must not be cut short: ${size} bytes are wanted at ${this.#at}`);
    }
    this.#at += size;
    return this.#at - size;
  }
}
