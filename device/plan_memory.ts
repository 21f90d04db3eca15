/**
 * What a capture needs in memory: the life of each transient tensor and the place that it gets.
 * Nothing is allocated, so it can be asked of steps that are too large for the adapter.
 *
 * @module
 */
import { checkOverlaps, type Recording } from "./dispatch.ts";
import { TENSOR_ALIGNMENT } from "./gpu.ts";
import {
  type Lifetime,
  packLifetimes,
  type Placement,
  type Span,
  spansOf,
} from "./pack_lifetimes.ts";
import { textureBytes } from "./operand_textures.ts";
import { byteLengthOf, resolve, type TransientStorage } from "./tensor.ts";

/** Choices of {@linkcode Capture.plan}. */
export interface PlanOptions {
  /** Whether tensors may share bytes when their lives do not touch; true unless given. */
  readonly alias?: boolean;
}

/** A program's memory, as printed by the commands. */
export interface MemoryReport {
  /** Bytes of transient buffers and of the textures of operands, which is the plan's peak. */
  readonly peakBytes: number;
  /** Bytes of the textures alone, which whatever is recomputed leaves as they are. */
  readonly textureBytes: number;
  /** Bytes that the transients would need without sharing. */
  readonly unsharedBytes: number;
  /** The transients alive at the fullest moment, largest first. */
  readonly holders: readonly { label: string; bytes: number }[];
}

/** The places of a capture's transient tensors. */
export interface MemoryPlan {
  readonly placements: ReadonlyMap<TransientStorage, Placement>;
  /** Sizes of the buffers, in bytes. */
  readonly bufferBytes: readonly number[];
  readonly memory: MemoryReport;
}

/**
 * Places every transient tensor of a capture.
 *
 * @throws {TypeError} When a transient is read before it is written, or bindings overlap.
 * @throws {RangeError} When one tensor is larger than a buffer may be.
 */
export function planMemory(capture: Recording, { alias = true }: PlanOptions = {}): MemoryPlan {
  const lifetimes = findLifetimes(capture);
  const lives = [...lifetimes.values()];
  const most = capture.gpu.limits.maxBufferSize;
  const { placements, bufferBytes } = packLifetimes(lives, TENSOR_ALIGNMENT, most, alias);
  return {
    placements: new Map([...lifetimes.keys()].map((storage, i) => [storage, placements[i]!])),
    bufferBytes,
    memory: reportMemory(lives, bufferBytes, textureBytes(capture)),
  };
}

/**
 * First and last use of each transient storage, and of its ranges where tensors that lie in it have lives
 * of their own.
 *
 * @throws {TypeError} When a transient is read before it is written, or bindings overlap.
 */
function findLifetimes(capture: Recording): Map<TransientStorage, Lifetime> {
  const uses = new Map<TransientStorage, Map<string, Span>>();
  capture.dispatches.forEach((dispatch, index) => {
    // Once more: tensors may have got their places since the dispatch was recorded.
    checkOverlaps(dispatch);
    for (const { name, tensor, access } of dispatch.bindings) {
      const { storage, byteOffset: start } = resolve(tensor);
      if (storage.kind !== "transient") continue;
      const ranges = uses.get(storage);
      if (!ranges && access !== "write") {
        throw new TypeError(
          `Cannot plan ${capture.name}: ${tensor.label} must be written before ${dispatch.kernel.name} reads it as ${name}`,
        );
      }
      const end = start + byteLengthOf(tensor), key = `${start} ${end}`;
      const first = ranges?.get(key)?.first ?? index;
      uses.set(storage, (ranges ?? new Map()).set(key, { start, end, first, last: index }));
    }
  });
  const end = capture.dispatches.length;
  const result = new Map<TransientStorage, Lifetime>();
  for (const [storage, ranges] of uses) {
    const { label, byteLength } = storage, kept = capture.kept.has(storage);
    const spans = spansByUse([...ranges.values()], byteLength).map((span) =>
      kept ? { ...span, last: end } : span
    );
    const first = Math.min(...spans.map((span) => span.first));
    const last = Math.max(...spans.map((span) => span.last));
    result.set(storage, { label, byteLength, first, last, ...spans.length > 1 && { spans } });
  }
  return result;
}

/** What is used of `byteLength` bytes, cut where another range begins or ends. */
function spansByUse(ranges: readonly Span[], byteLength: number): Span[] {
  const cuts = new Set([0, byteLength, ...ranges.flatMap(({ start, end }) => [start, end])]);
  const edges = [...cuts].sort((a, b) => a - b);
  const spans: Span[] = [];
  for (const [i, end] of edges.slice(1).entries()) {
    const start = edges[i]!;
    const over = ranges.filter((range) => range.start < end && start < range.end);
    if (over.length === 0) continue;
    const first = Math.min(...over.map((range) => range.first));
    const last = Math.max(...over.map((range) => range.last));
    const before = spans.at(-1);
    const same = before?.end === start && before.first === first && before.last === last;
    if (same) spans[spans.length - 1] = { ...before, end };
    else spans.push({ start, end, first, last });
  }
  return spans;
}

function reportMemory(
  lives: readonly Lifetime[],
  bufferBytes: readonly number[],
  textureBytes: number,
): MemoryReport {
  const sum = (list: readonly { bytes: number }[]) =>
    list.reduce((total, { bytes }) => total + bytes, 0);
  const all = lives.flatMap((life) =>
    spansOf(life).map((span) => ({ ...span, label: life.label, bytes: span.end - span.start }))
  );
  let fullest: typeof all = [];
  for (const { first } of all) {
    const alive = all.filter((span) => span.first <= first && span.last >= first);
    if (sum(alive) > sum(fullest)) fullest = alive;
  }
  const holders = fullest.map(({ label, bytes }) => ({ label, bytes }));
  if (textureBytes > 0) holders.push({ label: "operands in textures", bytes: textureBytes });
  holders.sort((a, b) => b.bytes - a.bytes);
  return {
    peakBytes: bufferBytes.reduce((a, b) => a + b, textureBytes),
    textureBytes,
    unsharedBytes: sum(all) + textureBytes,
    holders,
  };
}
