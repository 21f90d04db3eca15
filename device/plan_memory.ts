/**
 * What a capture needs in memory: the life of each transient tensor and the place that it gets.
 * Nothing is allocated, so it can be asked of steps that are too large for the adapter.
 *
 * @module
 */
import { checkOverlaps, type Recording } from "./dispatch.ts";
import { TENSOR_ALIGNMENT } from "./gpu.ts";
import { type Lifetime, packLifetimes, type Placement } from "./pack_lifetimes.ts";
import { textureBytes } from "./operand_textures.ts";
import { resolve, type TransientStorage } from "./tensor.ts";

/** Choices of {@linkcode Capture.plan}. */
export interface PlanOptions {
  /** Whether tensors may share bytes when their lives do not touch; true unless given. */
  readonly alias?: boolean;
}

/** A program's memory, as printed by the commands. */
export interface MemoryReport {
  /** Bytes of transient buffers and of the textures of operands, which is the plan's peak. */
  readonly peakBytes: number;
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
 * First and last use of each transient storage.
 *
 * @throws {TypeError} When a transient is read before it is written, or bindings overlap.
 */
function findLifetimes(capture: Recording): Map<TransientStorage, Lifetime> {
  const lives = new Map<TransientStorage, { first: number; last: number }>();
  capture.dispatches.forEach((dispatch, index) => {
    // Once more: tensors may have got their places since the dispatch was recorded.
    checkOverlaps(dispatch);
    for (const { name, tensor, access } of dispatch.bindings) {
      const { storage } = resolve(tensor);
      if (storage.kind !== "transient") continue;
      const life = lives.get(storage);
      if (life) life.last = index;
      else if (access === "write") lives.set(storage, { first: index, last: index });
      else {
        throw new TypeError(
          `Cannot plan ${capture.name}: ${tensor.label} must be written before ${dispatch.kernel.name} reads it as ${name}`,
        );
      }
    }
  });
  const end = capture.dispatches.length;
  const result = new Map<TransientStorage, Lifetime>();
  for (const [storage, { first, last }] of lives) {
    const { label, byteLength } = storage;
    result.set(storage, { label, byteLength, first, last: capture.kept.has(storage) ? end : last });
  }
  return result;
}

function reportMemory(
  lives: readonly Lifetime[],
  bufferBytes: readonly number[],
  textureBytes: number,
): MemoryReport {
  const sum = (list: readonly { byteLength: number }[]) =>
    list.reduce((total, { byteLength }) => total + byteLength, 0);
  let fullest: readonly Lifetime[] = [];
  for (const { first } of lives) {
    const alive = lives.filter((life) => life.first <= first && life.last >= first);
    if (sum(alive) > sum(fullest)) fullest = alive;
  }
  const holders = fullest.map(({ label, byteLength }) => ({ label, bytes: byteLength }));
  if (textureBytes > 0) holders.push({ label: "operands in textures", bytes: textureBytes });
  holders.sort((a, b) => b.bytes - a.bytes);
  return {
    peakBytes: bufferBytes.reduce((a, b) => a + b, textureBytes),
    unsharedBytes: sum(lives) + textureBytes,
    holders,
  };
}
