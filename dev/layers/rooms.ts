/**
 * The rooms of the house, and what each may name.
 *
 * @module
 */

/** A room's rank: it may import lower ranks and itself, but not its siblings. */
export const RANKS: Readonly<Record<string, number>> = {
  dev: 10, // nothing else may need it
  lab: 9,
  "the scripts": 8,
  "mod.ts": 8,
  run_log: 7,
  config: 6,
  training: 5,
  metrics: 5,
  diffusion: 4,
  model: 4,
  optim: 4,
  data: 4,
  autograd: 3,
  kernels: 2,
  device: 1,
  formats: 1,
  support: 0,
};

/** What users import; no file of ours does. */
export const FACES: ReadonlySet<string> = new Set(["mod.ts", "lab.ts"]);
/** Rooms that may name third-party packages. */
export const PACKAGE_ROOMS: ReadonlySet<string> = new Set(["support", "formats", "config"]);
/** Not shipped: they may import anything, and nothing imports them. */
export const OUTSIDE: ReadonlySet<string> = new Set(["tests", "bench", "examples"]);
/** The command that runs the benchmarks, which no other file may reach. */
export const BENCH_COMMAND = "commands/bench/main.ts";

const SCRIPTS: ReadonlySet<string> = new Set(["train.ts", "sample.ts", "eval.ts"]);
const PORTABLE_ROOMS: ReadonlySet<string> = new Set(
  ["device", "kernels", "autograd", "model", "optim", "diffusion"],
);
/** Files of other rooms that those need. */
const PORTABLE_FILES: ReadonlySet<string> = new Set([
  "support/options.ts",
  "support/pause.ts",
  "support/rule_text.ts",
  "support/philox.ts",
  "support/random_streams.ts",
]);

/** The room of a path in the repository: a top folder, "the scripts", or a top file's own name. */
export function roomOf(path: string): string {
  const [folder = path, ...rest] = path.split("/");
  if (SCRIPTS.has(path) || folder === "commands") return "the scripts";
  if (path === "lab.ts") return "lab";
  return rest.length === 0 ? path : folder;
}

/** Whether a file runs in a web page unchanged: it has no Deno, no node and no files. */
export function isPortable(path: string): boolean {
  return PORTABLE_ROOMS.has(roomOf(path)) || PORTABLE_FILES.has(path);
}

/** The verb that a script belongs to, "shared" included; undefined for other files. */
export function verbOf(path: string): string | undefined {
  if (SCRIPTS.has(path)) return path.replace(/\.ts$/, "");
  return /^commands\/([^/]+)\//.exec(path)?.[1];
}
