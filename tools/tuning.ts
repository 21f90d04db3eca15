/**
 * Where measured choices of kernels are kept: in the user's cache folder by adapter, for all runs, and in
 * a run's folder, so that a resumed run computes as it did before.
 *
 * @module
 */
import { join } from "node:path";
import type { Gpu } from "../device/gpu.ts";
import { tuneVariants, type VariantTable } from "../kernels/tune.ts";
import { setVariantPolicy, type Variant } from "../kernels/variants.ts";
import { atomicWrite, ensureFolder, readFileChecked } from "../support/files.ts";

/** What `--tune` can be: defaults alone, what was measured earlier, or measure what is missing. */
export const TUNE_MODES = ["off", "cached", "full"] as const;

/** How kernels are chosen. */
export type TuneMode = typeof TUNE_MODES[number];

/** Longest time that measuring takes, apart from the op at hand. */
const BUDGET_MS = 60_000;

/** Largest file that is read. */
const MOST_BYTES = 16 << 20;

/** What a choice of kernels depends on. */
export interface TuningContext {
  readonly gpu: Gpu;
  readonly mode: TuneMode;
  /** File of the choices of a run that goes on; it is obeyed whatever the mode. */
  readonly recorded?: string | undefined;
  /** The run's ops with their variants, the default first. */
  readonly ops: ReadonlyMap<string, readonly Variant[]>;
  readonly say: (line: string) => void;
  /** Folder of the cache, the user's unless given. */
  readonly cacheFolder?: string;
}

/**
 * Decides how later captures on the GPU choose kernels.
 *
 * @returns The choice for every op, to be kept by {@linkcode writeChoices}.
 */
export async function applyTuning(context: TuningContext): Promise<VariantTable> {
  const { gpu, ops } = context;
  const recorded = context.recorded && await readChoices(gpu, context.recorded);
  const table = recorded || await measuredChoices(context);
  const choices = new Map<string, string>();
  for (const [key, variants] of ops) {
    const chosen = variants.find(({ name }) => name === table.get(key)) ?? variants[0];
    if (chosen) choices.set(key, chosen.name);
  }
  setVariantPolicy(gpu, { table: choices });
  return choices;
}

async function measuredChoices(context: TuningContext): Promise<VariantTable> {
  const { gpu, mode, ops, say, cacheFolder = userCacheFolder() } = context;
  if (mode === "off" || cacheFolder === undefined) return new Map();
  const file = join(cacheFolder, `tuning-${slug(gpu.description)}.json`);
  const known = await readChoices(gpu, file) ?? new Map<string, string>();
  if (mode === "cached") return known;
  const missing = [...ops.keys()].filter((key) => !known.has(key)).length;
  if (missing === 0) return known;
  say(`tuning    ${missing} products and convolutions, at most ${BUDGET_MS / 1000} s`);
  const table = await tuneVariants(gpu, ops, { known, budgetMs: BUDGET_MS });
  await ensureFolder(cacheFolder);
  await writeChoices(gpu, file, table);
  return table;
}

/** Folder of what programs may lose: XDG_CACHE_HOME, or what the system has instead. */
function userCacheFolder(): string | undefined {
  const parent = Deno.env.get("XDG_CACHE_HOME") || Deno.env.get("LOCALAPPDATA") ||
    (Deno.env.get("HOME") && join(Deno.env.get("HOME")!, ".cache"));
  return parent ? join(parent, "diffract") : undefined;
}

function slug(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
}

/** Writes choices and the adapter that they hold for. */
export async function writeChoices(gpu: Gpu, file: string, choices: VariantTable): Promise<void> {
  const content = { adapter: gpu.description, choices: Object.fromEntries(choices) };
  await atomicWrite(file, `${JSON.stringify(content, null, 2)}\n`);
}

/** The choices in a file; undefined when there is none, it is damaged or of another adapter. */
async function readChoices(gpu: Gpu, file: string): Promise<VariantTable | undefined> {
  let text: string;
  try {
    text = new TextDecoder().decode(await readFileChecked(file, MOST_BYTES));
  } catch (error) {
    if (error instanceof Error && error.cause instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
  try {
    const { adapter, choices } = JSON.parse(text);
    const entries = Object.entries(choices).filter((entry) => typeof entry[1] === "string");
    return adapter === gpu.description ? new Map(entries as [string, string][]) : undefined;
  } catch {
    // Choices change speed alone, so a damaged file is no reason to stop.
    return undefined;
  }
}
