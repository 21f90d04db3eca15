/**
 * Small training runs and spawned commands for tests.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { formatConfig, loadConfig, type Override } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { Collective } from "../../training/collective.ts";
import type { Observer } from "../../training/observer.ts";
import type { Origin } from "../../training/origin.ts";
import { runInstruments, stepInstruments } from "../../commands/shared/instruments.ts";
import { type RunContext, type RunResult, trainRun } from "../../training/run.ts";
import type { FreeSpace } from "../../training/disk_space.ts";
import { testGpu } from "./gpu.ts";
import { inFolder } from "./folder.ts";

/** The repository. */
export const ROOT = fileURLToPath(new URL("../../", import.meta.url));

/** config/smoke.json with overrides: "train.steps=10". */
export function smokeConfig(...overrides: string[]): Promise<Config> {
  return loadConfig(`${ROOT}config/smoke.json`, overrides.map(splitOverride));
}

function splitOverride(text: string): Override {
  const at = text.indexOf("=");
  return [text.slice(0, at), text.slice(at + 1)];
}

/** Choices of {@linkcode trainInFolder}. */
export interface TestRunOptions {
  readonly resume?: boolean;
  /** The weights that the run begins with. */
  readonly origin?: Origin | undefined;
  /** Completed steps after which the run is asked to stop. */
  readonly stopAfter?: number;
  /** Whether the config's instruments watch, as they do in commands; false unless given. */
  readonly instruments?: boolean;
  /** More observers. */
  readonly observers?: readonly Observer[];
  /** Observers that need the trainer. */
  readonly observe?: RunContext["observe"];
  readonly freeSpace?: FreeSpace;
  /** Bytes that the run may take. */
  readonly memory?: number;
  /** The ranks that train together, as one of them sees them; this process alone unless given. */
  readonly collective?: Collective;
  /** Receives what is said, also when the run throws. */
  readonly lines?: string[];
  /** The GPU of this test file unless given. */
  readonly gpu?: Gpu;
}

/** Trains in this process and returns what was said besides the result. */
export async function trainInFolder(
  config: Config,
  dir: string,
  options: TestRunOptions = {},
): Promise<RunResult & { lines: string[] }> {
  const { resume = false, stopAfter, instruments = false, lines = [], freeSpace, memory } = options;
  const controller = new AbortController();
  const stopper: Observer = {
    everySteps: stopAfter ?? 0,
    atEnd: false,
    read: () => {
      controller.abort();
      return Promise.resolve(null);
    },
  };
  const text = formatConfig({ ...config, run: { ...config.run, dir: null } });
  const gpu = options.gpu ?? await testGpu();
  const watching = instruments ? stepInstruments(gpu, config) : [];
  const result = await trainRun(config, {
    gpu,
    dir,
    configText: text,
    checkpointConfig: text,
    resume,
    ...(memory === undefined ? {} : { memory }),
    origin: options.origin,
    ...(options.collective ? { collective: options.collective } : {}),
    say: (line) => lines.push(line),
    display: () => ({ update: () => {}, print: (line) => lines.push(line) }),
    signal: controller.signal,
    ...(freeSpace ? { freeSpace } : {}),
    observers: [...watching, ...options.observers ?? [], stopper],
    observe: async (trainer) => [
      ...instruments ? await runInstruments(config, trainer) : [],
      ...await options.observe?.(trainer) ?? [],
    ],
  });
  for (const instrument of watching) instrument.destroy?.();
  return { ...result, lines };
}

/** Runs `body` with a temporary folder, which is also where caches are kept meanwhile. */
export async function inFolderWithCache(body: (folder: string) => Promise<void>): Promise<void> {
  const before = Deno.env.get("DIFFRACT_CACHE");
  await inFolder(async (folder) => {
    Deno.env.set("DIFFRACT_CACHE", join(folder, "cache"));
    try {
      await body(folder);
    } finally {
      if (before === undefined) Deno.env.delete("DIFFRACT_CACHE");
      else Deno.env.set("DIFFRACT_CACHE", before);
    }
  });
}

/** What a spawned script gave. */
export interface ScriptResult {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

/** Runs a script of the repository to its end. */
export async function runScript(
  script: string,
  args: readonly string[],
  cwd = ROOT,
  env: Readonly<Record<string, string>> = {},
): Promise<ScriptResult> {
  const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["run", "-A", "--config", `${ROOT}deno.json`, `${ROOT}${script}`, ...args],
    cwd,
    env: { NO_COLOR: "1", ...env },
  }).output();
  const decoder = new TextDecoder();
  return { code, out: decoder.decode(stdout), err: decoder.decode(stderr) };
}

/** The error lines of a script, without what drivers write. */
export function errorLines({ err }: ScriptResult): string[] {
  return err.split("\n").filter((line) => line !== "" && !line.includes("XDG_RUNTIME_DIR"));
}
