/**
 * The machine around the GPU: Deno, memory, disk and the cache folder.
 *
 * @module
 */
import { join } from "node:path";
import { freeBytes } from "../../support/files.ts";
import { formatBytes } from "../../training/run_summary.ts";
import { compareVersions } from "./deno_version.ts";
import type { Finding } from "./finding.ts";

/** Memory below which even the quickstart is unlikely to finish, in bytes. */
const LEAST_MEMORY = 1 << 30;

/** Free space below which a run of the larger networks ends early, and any run does, in bytes. */
const ENOUGH_DISK = 2 * 2 ** 30;
const LEAST_DISK = 64 << 20;

/** The version that denow installs, which is the one that is tested; null when denow is missing. */
export async function pinnedDeno(root: string): Promise<string | null> {
  try {
    const text = await Deno.readTextFile(join(root, "denow"));
    return /^deno_version=(\S+)$/m.exec(text)?.[1] ?? null;
  } catch {
    return null;
  }
}

/** Whether the Deno at hand is the tested one. An older one may lack what the project uses. */
export function examineDeno(version: string, pinned: string | null): Finding {
  const text = `${version}, ${Deno.build.os} ${Deno.build.arch}`;
  const found = { area: "runtime", name: "Deno", data: { version, pinned } } as const;
  if (pinned === null || version === pinned) return { ...found, status: "ok", text };
  const age = compareVersions(version, pinned) < 0 ? "older" : "newer";
  return {
    ...found,
    status: "warn",
    text: `${text}; ${age} than ${pinned}, which is tested`,
    remedy: `use ./denow in place of deno, which brings ${pinned}`,
  };
}

/** Whether there is memory for a run, where the system tells. */
export function examineMemory(memory: { total: number; available: number }): Finding {
  const { total, available } = memory;
  const text = `${formatBytes(available)} of ${formatBytes(total)} available`;
  const found = { area: "runtime", name: "memory", text, data: { total, available } } as const;
  return available >= LEAST_MEMORY ? { ...found, status: "ok" } : {
    ...found,
    status: "warn",
    remedy: `close other programs: a run wants ${formatBytes(LEAST_MEMORY)} or more`,
  };
}

/** Whether a folder, or the nearest one above it that exists, takes files and has room. */
export async function examineFolder(
  name: string,
  folder: string,
  change: string,
): Promise<Finding> {
  const place = await nearestFolder(folder);
  const found = { area: "storage", name, data: { folder } } as const;
  try {
    await Deno.remove(await Deno.makeTempFile({ dir: place, prefix: ".doctor-" }));
  } catch (error) {
    const why = error instanceof Error ? error.message.split(":")[0] : String(error);
    return {
      ...found,
      status: "warn",
      text: `${folder} cannot be written to (${why})`,
      remedy: `${change}, or make ${place} writable`,
    };
  }
  const free = await freeBytes(place);
  const text = `${folder}${place === folder ? "" : " (not there yet)"}, ${formatBytes(free)} free`;
  if (free >= ENOUGH_DISK) return { ...found, status: "ok", text };
  return {
    ...found,
    status: free < LEAST_DISK ? "fail" : "warn",
    text,
    remedy: `free some space, or ${change}; a checkpoint of the CIFAR-10 network takes 545 MiB`,
  };
}

async function nearestFolder(folder: string): Promise<string> {
  for (let place = folder;;) {
    try {
      if ((await Deno.stat(place)).isDirectory) return place;
    } catch {
      // Perhaps the one above.
    }
    const above = join(place, "..");
    if (above === place) return place;
    place = above;
  }
}

/** What the cache folder holds, by its topmost names. */
export async function examineCacheContents(folder: string): Promise<Finding[]> {
  const sizes = new Map<string, number>();
  try {
    for await (const { name } of Deno.readDir(folder)) {
      sizes.set(name, await bytesBelow(join(folder, name)));
    }
  } catch {
    return [];
  }
  if (sizes.size === 0) return [];
  const parts = [...sizes].sort((a, b) => b[1] - a[1]);
  const shown = parts.slice(0, 4).map(([name, bytes]) => `${name} ${formatBytes(bytes)}`);
  const total = parts.reduce((sum, [, bytes]) => sum + bytes, 0);
  return [{
    ...{ area: "storage", name: "cache holds", status: "note" },
    text: `${formatBytes(total)}: ${shown.join(", ")}${parts.length > 4 ? ", ..." : ""}`,
    data: Object.fromEntries(sizes),
  }];
}

async function bytesBelow(path: string): Promise<number> {
  const { isDirectory, size } = await Deno.lstat(path);
  if (!isDirectory) return size;
  let sum = 0;
  for await (const { name } of Deno.readDir(path)) sum += await bytesBelow(join(path, name));
  return sum;
}
