/**
 * Whether checkpoints have room on their disk, asked before a run depends on it.
 *
 * @module
 */
import { freeBytes } from "../support/files.ts";
import { listCheckpoints } from "./checkpoint.ts";

/** Bytes that can be written below a folder; null where nobody knows. */
export type FreeSpace = (folder: string) => Promise<number | null>;

/** What a run will write to a folder. */
export interface SpaceNeeds {
  /** The folder, which exists. */
  readonly folder: string;
  /** Bytes of one checkpoint. */
  readonly bytes: number;
  /** Checkpoints that are kept. */
  readonly keep: number;
}

/** Megabytes for a person, of 1,000,000 bytes as disks have them. */
function megabytes(bytes: number): string {
  const value = bytes / 1e6;
  return `${value >= 10 ? Math.round(value).toLocaleString("en-US") : value.toFixed(1)} MB`;
}

/** The system's word on free space; null where it has none. */
export async function systemFreeSpace(folder: string): Promise<number | null> {
  try {
    return await freeBytes(folder);
  } catch {
    return null;
  }
}

/**
 * Refuses to start a run that could not write a single checkpoint.
 *
 * @returns A warning when the room will run out before all that are kept are written, else null.
 * @throws {Error} Naming what is needed, what is free and what to do.
 */
export async function planSpace(needs: SpaceNeeds, free: FreeSpace): Promise<string | null> {
  const { folder, bytes, keep } = needs;
  const room = await free(folder);
  if (room === null) return null;
  const present = Math.min((await listCheckpoints(folder)).length, keep);
  // The oldest goes only once its successor is whole.
  const more = (keep + 1 - present) * bytes;
  if (room >= more) return null;
  const text =
    `it needs ${megabytes(bytes)} for each of ${keep} checkpoints, and for one more while ` +
    `it is written; ${megabytes(room)} are free in ${folder}: free some or set run.dir`;
  if (room < bytes) {
    throw new Error(`Cannot train: the disk must have room for a checkpoint; ${text}`);
  }
  return `the disk will be full before the run is done: ${text}`;
}

/**
 * Refuses to write a checkpoint that has no room.
 *
 * @throws {Error} Naming what is needed, what is free and what to do.
 */
export async function checkSpace(
  path: string,
  { folder, bytes }: SpaceNeeds,
  free: FreeSpace,
): Promise<void> {
  const room = await free(folder);
  if (room === null || room >= bytes) return;
  throw new Error(
    `Cannot write ${path}: the disk must have room for ${megabytes(bytes)}, ${
      megabytes(room)
    } are free in ${folder}: free some`,
  );
}
