/**
 * Arenas: many tensors packed into a few flat buffers, so that an optimiser, an average or a norm is a
 * few dispatches over ranges instead of hundreds. Arenas made from the same entries have the same
 * layout, so chunk `i` of one lies under chunk `i` of another.
 *
 * @module
 */
import { BYTES } from "./element.ts";
import { type Gpu, TENSOR_ALIGNMENT } from "./gpu.ts";
import { BufferStorage, bytesOf, type TensorRef } from "./tensor.ts";

/** Weights, gradients and moments are whole f32, whatever a network computes with. */
const DTYPE = "f32";

/** A named shape to be placed in an arena. */
export interface ArenaEntry {
  /** Its name in the arena. */
  readonly name: string;
  /** Sizes, outermost first. */
  readonly shape: readonly number[];
  /** Whether it lies in chunks of its kind, behind those of others; false unless given. */
  readonly apart?: boolean;
}

/** Where an arena's tensors are. */
export interface ArenaLayout {
  readonly places: readonly {
    readonly entry: ArenaEntry;
    readonly chunk: number;
    readonly byteOffset: number;
  }[];
  /** Sizes of the chunks in bytes, at least 16. */
  readonly chunkBytes: readonly number[];
  /** The first chunk of what lies apart; infinite where nothing does. */
  readonly firstApart: number;
}

/**
 * Lays out an arena. A chunk is at most the device's largest binding and no tensor straddles two.
 *
 * @param label Name in errors.
 * @param maxChunkBytes Largest chunk, the device's largest binding unless given.
 * @throws {RangeError} When one tensor is larger than a chunk may be.
 */
export function layOutArena(
  gpu: Gpu,
  label: string,
  entries: readonly ArenaEntry[],
  maxChunkBytes: number = Math.min(
    gpu.limits.maxStorageBufferBindingSize,
    gpu.limits.maxBufferSize,
  ),
): ArenaLayout {
  const places: { entry: ArenaEntry; chunk: number; byteOffset: number }[] = [];
  const sizes: number[] = [0];
  let firstApart = Infinity;
  const inOrder = [false, true].flatMap((apart) =>
    entries.filter((entry) => (entry.apart ?? false) === apart)
  );
  for (const entry of inOrder) {
    if (entry.apart && firstApart === Infinity) {
      if (sizes.at(-1)! > 0) sizes.push(0);
      firstApart = sizes.length - 1;
    }
    const bytes = Math.ceil(bytesOf(entry.shape, DTYPE) / TENSOR_ALIGNMENT) * TENSOR_ALIGNMENT;
    if (bytes > maxChunkBytes) {
      throw new RangeError(
        `Cannot create arena ${label}: tensor ${entry.name} must have at most ${maxChunkBytes} bytes, got ${bytes}`,
      );
    }
    if (sizes.at(-1)! + bytes > maxChunkBytes) sizes.push(0);
    const chunk = sizes.length - 1;
    places.push({ entry, chunk, byteOffset: sizes[chunk]! });
    sizes[chunk]! += bytes;
  }
  return { places, chunkBytes: sizes.map((bytes) => Math.max(bytes, 16)), firstApart };
}

/** Tensors by name over flat chunks. */
export class Arena {
  private constructor(
    /** The tensors, in the order of the entries, those that lie apart last. */
    readonly tensors: ReadonlyMap<string, TensorRef>,
    /** Whole buffers as flat f32 tensors; bytes between tensors are zero and stay zero. */
    readonly chunks: readonly TensorRef[],
    /** The first chunk of what lies apart; infinite where nothing does. */
    readonly firstApart: number,
  ) {}

  /** Bytes of all chunks. */
  get byteLength(): number {
    return this.chunks.reduce((total, chunk) => total + chunk.storage.byteLength, 0);
  }

  /**
   * Allocates an arena of zeros; see {@linkcode layOutArena}.
   *
   * @throws {RangeError} When one tensor is larger than a chunk may be.
   */
  static create(
    gpu: Gpu,
    label: string,
    entries: readonly ArenaEntry[],
    maxChunkBytes?: number,
  ): Arena {
    const { places, chunkBytes, firstApart } = layOutArena(gpu, label, entries, maxChunkBytes);
    const chunks = chunkBytes.map((bytes, i) =>
      gpu.tensor([bytes / BYTES[DTYPE]], { label: `${label} ${i}` })
    );
    const tensors = new Map<string, TensorRef>();
    for (const { entry, chunk, byteOffset } of places) {
      const { storage } = chunks[chunk]!;
      if (!(storage instanceof BufferStorage)) continue;
      const { name, shape } = entry;
      tensors.set(name, {
        storage,
        byteOffset,
        shape: [...shape],
        dtype: DTYPE,
        label: `${label} ${name}`,
      });
    }
    return new Arena(tensors, chunks, firstApart);
  }

  /**
   * A tensor by name.
   *
   * @throws {RangeError} When there is none of that name.
   */
  get(name: string): TensorRef {
    const tensor = this.tensors.get(name);
    if (!tensor) throw new RangeError(`Cannot find ${name} in the arena: no tensor has that name`);
    return tensor;
  }

  /** Frees the buffers. */
  destroy(gpu: Gpu): void {
    for (const chunk of this.chunks) gpu.destroyTensor(chunk);
  }
}
