/**
 * Takes images of a source into a collection, with the state stored on the way, so that a killed
 * evaluation goes on where it was and ends with the same numbers.
 *
 * @module
 */
import { readSafetensors, writeSafetensors } from "../../../formats/safetensors.ts";
import { Collection, type CollectionOptions } from "../../../metrics/judges/collection.ts";
import { atomicWrite } from "../../../support/files.ts";
import { startProgress } from "../../../support/terminal.ts";
import { ALONE, barrier, type Collective } from "../../../training/collective.ts";
import { sharedExtractor, sharedSource } from "./shares.ts";
import type { ImageSource } from "./source.ts";

/** Images taken in at once; fixed, so that sums are the same whenever a run was cut. */
const CHUNK = 64;
/** Milliseconds between two stored states, and between two lines of progress. */
const STORE_MS = 30_000, LINE_MS = 5_000;

const FORMAT = "diffract evaluation 2";

/** How {@linkcode collect} goes about it. */
export interface CollectOptions extends Omit<CollectionOptions, "height" | "width"> {
  /** A word for the progress display. */
  readonly label: string;
  /** Whether progress is left to somebody else; false unless given. */
  readonly quiet?: boolean;
  /** Where the state is stored; nowhere unless given. */
  readonly state?: string;
  /** Whether the state stays once all images have come; false unless given. */
  readonly keepState?: boolean;
  /** Aborted when it should stop after the chunk at hand. */
  readonly signal?: AbortSignal;
  /** The processes that share the work; this one alone unless given. */
  readonly collective?: Collective;
  readonly say: (line: string) => void;
}

/**
 * A collection of the source's first `count` images, or null when it was asked to stop; the state is
 * stored then.
 */
export async function collect(
  source: ImageSource,
  options: CollectOptions,
): Promise<Collection | null> {
  const { label, state, count, signal, say, collective = ALONE } = options;
  const { height, width } = source, writes = collective.rank === 0;
  const extractor = sharedExtractor(options.extractor, collective);
  const collection = new Collection({ ...options, extractor, height, width });
  const { read } = sharedSource(source, collective, count);
  const fingerprint = fingerprintOf(source, options);
  if (state !== undefined && await restore(collection, state, fingerprint, say)) {
    if (collection.count < count) say(`Going on after ${collection.count} of ${count} (${label})`);
  }
  // All have read what one is going to replace.
  await barrier(collective);
  const start = collection.count;
  const progress = options.quiet || !writes ? null : startProgress({ label, total: count, start });
  const live = Deno.stderr.isTerminal();
  let stored = performance.now(), shown = stored, last = start;
  while (collection.count < count && !await anyWish(collective, signal)) {
    const first = collection.count;
    await collection.add(await read(first, Math.min(CHUNK, count - first)));
    const now = performance.now();
    if (live || now - shown > LINE_MS) {
      progress?.update(last = collection.count);
      shown = now;
    }
    if (writes && state !== undefined && now - stored > STORE_MS && collection.count < count) {
      await store(collection, state, fingerprint);
      stored = performance.now();
    }
    // Lets a signal's handler run.
    await new Promise((resolve) => setTimeout(resolve, 0));
  }
  const done = collection.count >= count;
  if (last < collection.count) progress?.update(collection.count);
  progress?.stop();
  if (writes && state !== undefined && start < count && (!done || options.keepState)) {
    await store(collection, state, fingerprint);
  }
  return done ? collection : null;
}

/** Whether any of the processes is asked to stop. */
async function anyWish(collective: Collective, signal: AbortSignal | undefined): Promise<boolean> {
  const wishes = await collective.gather(Float32Array.of(signal?.aborted ? 1 : 0));
  return wishes.some(([wish]) => wish === 1);
}

/** Everything that the collection depends on. */
function fingerprintOf(source: ImageSource, options: CollectOptions): string {
  const { metrics, count, keep, extractor } = options;
  return JSON.stringify({
    images: source.fingerprint,
    features: extractor?.name ?? null,
    metrics: [...metrics].sort(),
    ...{ count, keep: Math.min(keep, count) },
  });
}

/** A short name for what `source` and `options` lead to. */
export async function collectionKey(source: ImageSource, options: CollectOptions) {
  const bytes = new TextEncoder().encode(fingerprintOf(source, options));
  const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes));
  return Array.from(hash.subarray(0, 8), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function store(collection: Collection, path: string, fingerprint: string): Promise<void> {
  await atomicWrite(
    path,
    writeSafetensors(collection.tensors(), { format: FORMAT, fingerprint }),
  );
}

async function restore(
  collection: Collection,
  path: string,
  fingerprint: string,
  say: (line: string) => void,
): Promise<boolean> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
  try {
    const { metadata, tensors } = readSafetensors(bytes);
    if (metadata.format === FORMAT && metadata.fingerprint === fingerprint) {
      collection.restore(tensors);
      return true;
    }
    say(`Starting afresh: ${path} belongs to another evaluation`);
  } catch (error) {
    say(`Starting afresh: ${path} is damaged (${(error as Error).message})`);
  }
  return false;
}
