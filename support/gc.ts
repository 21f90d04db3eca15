/**
 * Garbage collection on demand. Command encoders and passes of WebGPU have no destroy(); their
 * native memory goes only with a major collection, which such small wrappers never set off.
 *
 * @module
 */
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

let collect: (() => void) | undefined;

/** Runs a major collection where the runtime lets it, and does nothing elsewhere. */
export function collectGarbage(): void {
  collect ??= findCollector();
  collect();
}

function findCollector(): () => void {
  try {
    setFlagsFromString("--expose-gc");
    const gc: unknown = runInNewContext("gc");
    if (typeof gc === "function") return () => void gc();
  } catch {
    // Memory then grows a little with every step, which is no reason to fail.
  }
  return () => {};
}
