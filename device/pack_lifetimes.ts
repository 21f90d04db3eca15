/**
 * Where transient tensors go: lifetimes from the order of dispatches, packed into a few buffers so
 * that tensors share bytes when their lives do not touch.
 *
 * @module
 */

/** A tensor's size and the first and last dispatch that touch it. */
export interface Lifetime {
  readonly label: string;
  readonly byteLength: number;
  readonly first: number;
  readonly last: number;
}

/** A place in one of the plan's buffers. */
export interface Placement {
  readonly buffer: number;
  readonly byteOffset: number;
}

/** The outcome of {@linkcode packLifetimes}. */
export interface Packing {
  /** One a lifetime, in the order given. */
  readonly placements: Placement[];
  /** Sizes of the buffers, in bytes; their sum is the peak. */
  readonly bufferBytes: number[];
}

/**
 * Packs lifetimes greedily, largest first, each at the lowest free offset of the first buffer that
 * has room (Pisarchyk & Lee 2020, "greedy by size").
 *
 * @param lifetimes What must live when; `last` counts as alive.
 * @param alignment Every offset is a multiple of it, in bytes.
 * @param maxBufferBytes Largest buffer, in bytes.
 * @param alias Whether tensors may share bytes; off, each has bytes of its own.
 * @throws {RangeError} When one tensor is larger than a buffer may be.
 */
export function packLifetimes(
  lifetimes: readonly Lifetime[],
  alignment: number,
  maxBufferBytes: number,
  alias = true,
): Packing {
  const align = (n: number) => Math.ceil(n / alignment) * alignment;
  const order = lifetimes.map((_, i) => i).sort((a, b) =>
    lifetimes[b]!.byteLength - lifetimes[a]!.byteLength || a - b
  );
  const placements: Placement[] = new Array(lifetimes.length);
  const buffers: { start: number; end: number; life: Lifetime }[][] = [];
  const bufferBytes: number[] = [];
  for (const i of order) {
    const life = lifetimes[i]!;
    const size = align(life.byteLength);
    if (size > maxBufferBytes) {
      throw new RangeError(
        `Cannot plan: tensor ${life.label} must fit into one buffer of ${maxBufferBytes} bytes, got ${life.byteLength}`,
      );
    }
    for (let buffer = 0;; buffer++) {
      const placed = buffers[buffer] ??= [];
      const byteOffset = lowestGap(placed, life, size, alias);
      if (byteOffset + size > maxBufferBytes) continue;
      placed.push({ start: byteOffset, end: byteOffset + size, life });
      placed.sort((a, b) => a.start - b.start);
      bufferBytes[buffer] = Math.max(bufferBytes[buffer] ?? 0, byteOffset + size);
      placements[i] = { buffer, byteOffset };
      break;
    }
  }
  return { placements, bufferBytes };
}

/** The lowest offset at which `size` bytes are free during `life`; `placed` is sorted by start. */
function lowestGap(
  placed: readonly { start: number; end: number; life: Lifetime }[],
  life: Lifetime,
  size: number,
  alias: boolean,
): number {
  let offset = 0;
  for (const other of placed) {
    if (alias && (other.life.last < life.first || life.last < other.life.first)) continue;
    if (other.start - offset >= size) break;
    offset = Math.max(offset, other.end);
  }
  return offset;
}
