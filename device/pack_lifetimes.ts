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
  /** Ranges that are touched apart, in order and together all of it; it is one unless given. */
  readonly spans?: readonly Span[];
}

/** A range of a tensor, in bytes, and the first and last dispatch that touch it. */
export interface Span {
  readonly start: number;
  readonly end: number;
  readonly first: number;
  readonly last: number;
}

/** The ranges of a tensor that live by themselves. */
export function spansOf({ byteLength, first, last, spans }: Lifetime): readonly Span[] {
  return spans ?? [{ start: 0, end: byteLength, first, last }];
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
 * has room (Pisarchyk & Lee 2020, "greedy by size"). Where ranges of one live apart, others may have the
 * bytes of those that are not alive.
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
  const buffers: Span[][] = [];
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
      const spans = alignedSpans(life, alignment);
      const byteOffset = lowestGap(placed, spans, alias);
      if (byteOffset + size > maxBufferBytes) continue;
      placed.push(...spans.map((span) => movedBy(span, byteOffset)));
      placed.sort((a, b) => a.start - b.start);
      bufferBytes[buffer] = Math.max(bufferBytes[buffer] ?? 0, byteOffset + size);
      placements[i] = { buffer, byteOffset };
      break;
    }
  }
  return { placements, bufferBytes };
}

/** Spans that begin and end where tensors may. */
function alignedSpans(life: Lifetime, alignment: number): Span[] {
  return spansOf(life).map((span) => ({
    ...span,
    start: Math.floor(span.start / alignment) * alignment,
    end: Math.ceil(span.end / alignment) * alignment,
  }));
}

function movedBy(span: Span, bytes: number): Span {
  return { ...span, start: span.start + bytes, end: span.end + bytes };
}

/** The lowest offset at which all spans are free while they live; `placed` is sorted by start. */
function lowestGap(placed: readonly Span[], spans: readonly Span[], alias: boolean): number {
  let offset = 0;
  for (let again = true; again;) {
    again = false;
    for (const span of spans) {
      const moved = offsetPast(placed, span, offset, alias);
      again ||= moved > offset && spans.length > 1;
      offset = moved;
    }
  }
  return offset;
}

/** The lowest offset from `offset` on at which a span is free. */
function offsetPast(placed: readonly Span[], span: Span, offset: number, alias: boolean): number {
  let free = offset;
  for (const other of placed) {
    if (alias && (other.last < span.first || span.last < other.first)) continue;
    if (other.start >= free + span.end) break;
    if (other.end > free + span.start) free = other.end - span.start;
  }
  return free;
}
