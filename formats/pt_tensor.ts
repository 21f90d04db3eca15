/**
 * Tensors of PyTorch's files: strided views of storages.
 *
 * @module
 */
import { type Dtype, type StoredTensor, tensorData } from "./safetensors.ts";

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
/** What is wrong with a PyTorch file. */
export function damaged(what: string): SyntaxError {
  return new SyntaxError(`Cannot read PyTorch file: ${what}`);
}

/** Raw elements that tensors are views of. */
export class PtStorage {
  bytes: Uint8Array | undefined;

  constructor(readonly key: string, readonly dtype: Dtype, readonly count: number) {}

  get byteLength(): number {
    return this.count * ELEMENT_BYTES[this.dtype];
  }
}

/** A part of a storage, as old files may refer to it. */
export class PtStorageView {
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

/** Text in quotes, cut where it is long. */
export function quote(text: string): string {
  return JSON.stringify(text.length > 60 ? `${text.slice(0, 57)}...` : text);
}
