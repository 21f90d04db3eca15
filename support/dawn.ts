/**
 * Dawn, Chromium's WebGPU, as the npm package `webgpu`: another implementation than Deno's own, with
 * features that Deno hides. It takes 130 MB, so nothing installs it and it is loaded where it lies.
 *
 * @module
 */
import { createRequire } from "node:module";
import { join, resolve } from "node:path";

/** The version that was tried. */
export const DAWN_VERSION = "0.6.2";

/** What the package exports: the objects of WebGPU, and its flags and classes by name. */
interface DawnModule {
  create(options: readonly string[]): GPU;
  readonly globals: Readonly<Record<string, unknown>>;
}

/** Dawn's `navigator.gpu` and what a browser has as globals. */
export interface Dawn<Constants> {
  readonly gpu: GPU;
  readonly constants: Constants;
}

/** The folder that the package is looked for in, unless another is named: one beside denow's Deno. */
export function dawnFolder(env: { get(name: string): string | undefined }): string {
  const home = env.get("XDG_CACHE_HOME") ?? join(env.get("HOME") ?? ".", ".cache");
  const cache = env.get("DIFFRACT_CACHE") ?? join(home, "diffract");
  return env.get("DIFFRACT_DAWN") ??
    join(cache, `webgpu-${DAWN_VERSION}`, "node_modules", "webgpu");
}

/** What of Dawn is wanted. */
export interface DawnOptions {
  /** The name, or a part of it, of the only adapter that it is to offer; all unless given. */
  readonly adapter?: string | undefined;
  /** `null` for one that compiles and runs nothing, and says that it has every feature. */
  readonly backend?: "null";
}

/**
 * Loads Dawn from the folder of its package, with its experimental features: matrix units are one.
 *
 * @throws {Error} When it is not there or can't be loaded, with how to install it.
 */
export function loadDawn<Constants>(
  folder: string,
  { adapter, backend }: DawnOptions = {},
): Dawn<Constants> {
  const path = resolve(folder);
  try {
    const { create, globals } = createRequire(import.meta.url)(path) as DawnModule;
    const options = ["enable-dawn-features=allow_unsafe_apis"];
    if (adapter !== undefined) options.push(`adapter=${adapter}`);
    if (backend !== undefined) options.push(`backend=${backend}`);
    return { gpu: create(options), constants: globals as Constants };
  } catch (error) {
    const reason = error instanceof Error ? error.message.split("\n")[0] : String(error);
    throw new Error(
      `Cannot load Dawn from ${path}: ${reason}. Install it with npm install --prefix ${
        resolve(path, "../..")
      } webgpu@${DAWN_VERSION}, or name the package's folder in DIFFRACT_DAWN`,
    );
  }
}
