/**
 * The GPU that a program works on.
 *
 * @module
 */
import { openScriptGpu } from "../commands/shared/gpu.ts";
import type { Gpu } from "../device/gpu.ts";

let opened: Promise<Gpu> | undefined;

/** The GPU that runs share unless they are given another; opened when first asked for. */
export function sharedGpu(): Promise<Gpu> {
  return opened ??= openScriptGpu();
}
