/**
 * Where measured choices of kernels are kept, by adapter and driver: with the project, for those that it
 * was tuned on; in the user's cache folder, for all runs; and in a run's folder, so that a resumed run
 * computes as it did before.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { crc32 } from "node:zlib";
import { cacheFolder } from "../../data/fetching/cache.ts";
import type { Gpu } from "../../device/gpu.ts";
import { tuneVariants, type VariantTable } from "../../kernels/shared/measure_variants.ts";
import { setVariantPolicy, type Variant, variantPolicy } from "../../kernels/shared/variants.ts";
import { cpuVectors } from "../../support/cpu.ts";
import { atomicWrite, ensureFolder, readFileChecked } from "../../support/files.ts";

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
  /** Folder of the user's own measurements, in the user's cache unless given. */
  readonly userFolder?: string;
  /** Folder of the tables that come with the project, `config/tuning` unless given. */
  readonly shippedFolder?: string;
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
  setVariantPolicy(gpu, { ...variantPolicy(gpu), table: choices });
  return choices;
}

async function measuredChoices(context: TuningContext): Promise<VariantTable> {
  const { gpu, mode, ops, say } = context;
  if (mode === "off") return new Map();
  const known = await knownChoices(gpu, context);
  const { userFolder = userTables() } = context;
  if (mode === "cached" || userFolder === undefined) return known;
  const missing = [...ops.keys()].filter((key) => !known.has(key)).length;
  if (missing === 0) return known;
  say(`tuning    ${missing} products and convolutions, at most ${BUDGET_MS / 1000} s`);
  const table = await tuneVariants(gpu, ops, { known, budgetMs: BUDGET_MS });
  await keepChoices(gpu, newIn(table, known), userFolder);
  return table;
}

/** What was measured on such an adapter: by the user, else by the project. */
export async function knownChoices(
  gpu: Gpu,
  folders: Pick<TuningContext, "userFolder" | "shippedFolder"> = {},
): Promise<VariantTable> {
  const { userFolder = userTables(), shippedFolder = shippedTables() } = folders;
  const tables = [shippedFolder, userFolder].filter((folder) => folder !== undefined)
    .map((folder) => readChoices(gpu, join(folder, fileOf(gpu))));
  return new Map((await Promise.all(tables)).flatMap((table) => [...table ?? []]));
}

/** What `known` lacks: tables that come with the project stay there, where a later release mends them. */
export function newIn(table: VariantTable, known: VariantTable): VariantTable {
  return new Map([...table].filter(([key]) => !known.has(key)));
}

/**
 * Keeps what was measured, beside what the folder's table says of other ops.
 *
 * @param folder In the user's cache unless given.
 * @returns The table's file.
 * @throws {Error} When the folder cannot be written, or there is none.
 */
export async function keepChoices(
  gpu: Gpu,
  measured: VariantTable,
  folder = cacheFolder("tuning"),
): Promise<string> {
  const file = join(folder, fileOf(gpu));
  await ensureFolder(folder);
  const before = await readChoices(gpu, file) ?? new Map<string, string>();
  await writeChoices(gpu, file, new Map([...before, ...measured]));
  return file;
}

/** Folder of the tables that come with the project. */
function shippedTables(): string | undefined {
  const url = new URL("../../config/tuning/", import.meta.url);
  return url.protocol === "file:" ? fileURLToPath(url) : undefined;
}

/** Name of an adapter's table: Deno tells no driver's version, but drivers differ in their limits. */
export function fileOf(gpu: Gpu): string {
  return `${slug(adapterOf(gpu))}-${limitsOf(gpu)}.json`;
}

/** An adapter, and where it is a CPU what that can do: CPU drivers make other code for each. */
function adapterOf({ description, info }: Gpu): string {
  const vectors = info.isFallbackAdapter ? cpuVectors() : undefined;
  return vectors ? `${description}, ${vectors}` : description;
}

/** A checksum of all limits. */
function limitsOf({ limits }: Gpu): string {
  const values: Record<string, number> = {};
  for (const name in limits) {
    const value: unknown = Reflect.get(limits, name);
    if (typeof value === "number") values[name] = value;
  }
  const text = Object.keys(values).sort().map((name) => `${name} ${values[name]}`).join();
  return crc32(text).toString(16).padStart(8, "0");
}

/** Folder of the user's own measurements; none where nothing says where the user's files are. */
function userTables(): string | undefined {
  try {
    return cacheFolder("tuning");
  } catch {
    return undefined;
  }
}

function slug(text: string): string {
  return text.toLowerCase().replace(/[^a-z0-9]+/g, "-").replace(/^-|-$/g, "");
}

/** Writes choices and the adapter that they hold for. */
export async function writeChoices(gpu: Gpu, file: string, choices: VariantTable): Promise<void> {
  const sorted = [...choices].sort(([a], [b]) => a < b ? -1 : 1);
  const content = {
    adapter: adapterOf(gpu),
    limits: limitsOf(gpu),
    choices: Object.fromEntries(sorted),
  };
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
    const { adapter, limits, choices } = JSON.parse(text);
    const entries = Object.entries(choices).filter((entry) => typeof entry[1] === "string");
    // Runs of earlier releases do not tell the CPU.
    const holds = [adapterOf(gpu), gpu.description].includes(adapter) && limits === limitsOf(gpu);
    return holds ? new Map(entries as [string, string][]) : undefined;
  } catch {
    // Choices change speed alone, so a damaged file is no reason to stop.
    return undefined;
  }
}
