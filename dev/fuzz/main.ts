/**
 * Feeds mutated files to the readers: `deno task fuzz`. Each must end in a clear error or a correct
 * read, quickly, and without taking memory that the file does not justify. Input i depends on the seed
 * and i alone.
 *
 * @module
 */
import process from "node:process";
import { defineCommand, runCommand } from "../../support/command_line.ts";
import { listNamedFolder } from "../../support/files.ts";
import { integer } from "../../support/numbers.ts";
import type { FuzzFormat, FuzzSeed } from "./format.ts";
import { FUZZ_FORMATS, FUZZ_KINDS, type FuzzKind } from "./kinds.ts";
import { mutate, Random } from "./mutate.ts";

/** What became of the inputs of a kind. */
export interface FuzzReport {
  readonly kind: FuzzKind;
  readonly seed: number;
  readonly inputs: number;
  /** Inputs that were read whole. */
  read: number;
  /** Inputs that were refused with one clear line. */
  refused: number;
  /** The lines, without what differs from file to file. */
  readonly reasons: Set<string>;
  /** What went wrong, an input each. */
  readonly failures: string[];
  slowestMs: number;
  /** Largest growth of the memory in use over one input. */
  mostBytes: number;
}

/** An input may take this much of a core, whatever else runs on the machine. */
const MOST_MS = 1000;
/** An input may take this much memory, and four times its bytes. */
const FREE_BYTES = 64 << 20;
/** Larger files are left out: they would only be slow. */
const LARGEST_SEED = 256 << 10;

/**
 * Feeds `count` mutated files to a reader.
 *
 * @param first Number of the first input.
 */
export async function fuzz(
  kind: FuzzKind,
  seeds: readonly FuzzSeed[],
  { count, seed, first = 0 }: { count: number; seed: number; first?: number },
): Promise<FuzzReport> {
  const report: FuzzReport = {
    kind,
    seed,
    inputs: count,
    read: 0,
    refused: 0,
    reasons: new Set(),
    failures: [],
    slowestMs: 0,
    mostBytes: 0,
  };
  for (let i = first; i < first + count; i++) {
    const { bytes, name } = makeInput(kind, seeds, new Random(seed, i));
    const outcome = await feed(kind, bytes, report);
    if (outcome !== null) report.failures.push(`input ${i} (from ${name}): ${outcome}`);
  }
  return report;
}

function makeInput(kind: FuzzKind, seeds: readonly FuzzSeed[], random: Random): FuzzSeed {
  const { name, bytes } = random.pick(seeds);
  const other = random.pick(seeds).bytes;
  const { mutateInside = mutate } = FUZZ_FORMATS[kind];
  const change = random.below(4) > 0 ? mutateInside : mutate;
  return { name, bytes: change(bytes, other, random) };
}

/** Reads an input; what is wrong about how that went, or null. */
async function feed(
  kind: FuzzKind,
  bytes: Uint8Array,
  report: FuzzReport,
): Promise<string | null> {
  const before = memoryInUse(), start = process.cpuUsage();
  let outcome: string | null = null;
  try {
    for await (const { shape, data } of FUZZ_FORMATS[kind].read(bytes)) {
      const size = shape.reduce((product, n) => product * n, 1);
      if (data.length !== size) {
        outcome = `an array of shape [${shape}] has ${data.length} elements`;
      }
    }
    report.read++;
  } catch (error) {
    report.refused++;
    if (!isClear(error)) outcome = `no clear error: ${error}`;
    report.reasons.add(reasonOf(error));
  }
  const { user, system } = process.cpuUsage(start);
  const ms = (user + system) / 1000, growth = memoryInUse() - before;
  report.slowestMs = Math.max(report.slowestMs, ms);
  report.mostBytes = Math.max(report.mostBytes, growth);
  if (ms > MOST_MS) outcome ??= `took ${Math.round(ms)} ms`;
  if (growth > FREE_BYTES + 4 * bytes.length) outcome ??= `took ${growth} bytes`;
  return outcome;
}

/** One line in this project's words, which say what cannot be done, and after a colon why. */
function isClear(error: unknown): boolean {
  return error instanceof Error && /^Cannot [^\n]{5,2000}?: [^\n]{5,2000}$/.test(error.message);
}

/** An error's text without names and numbers. */
function reasonOf(error: unknown): string {
  return (error as Error).message
    .replaceAll(/\S*\/diffract-fuzz-\w+|"(\\.|[^"\\])*"|\(.*\)|\[.*\]|\d+/g, "_");
}

function memoryInUse(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/**
 * Whole files of a kind: made here, or recorded ones of a folder.
 *
 * @param folder Where recorded ones are; by default those that come with the tests.
 * @throws {Error} When the folder has none.
 */
export async function fuzzSeeds(kind: FuzzKind, folder?: string): Promise<FuzzSeed[]> {
  const { made, recorded, read } = FUZZ_FORMATS[kind];
  const seeds = made ? made() : [];
  if (!recorded) return seeds;
  const { suffix, accept = () => true } = recorded;
  const place = folder ??
    new URL(`../../tests/golden/${recorded.folder}`, import.meta.url).pathname;
  for (const { name, isDirectory } of await listNamedFolder("mutate files of", place)) {
    if (isDirectory || !name.endsWith(suffix)) continue;
    const bytes = await Deno.readFile(`${place}/${name}`);
    if (accept(bytes) && bytes.length <= LARGEST_SEED && await isWhole(bytes, read)) {
      seeds.push({ name, bytes });
    }
  }
  if (seeds.length === 0) {
    throw new Error(`Cannot mutate files of ${place}: it must hold a ${kind} file`);
  }
  return seeds.sort((a, b) => a.name < b.name ? -1 : 1);
}

/** Whether a file can be read: mutations of one that can't would all fail where it does. */
async function isWhole(bytes: Uint8Array, read: FuzzFormat["read"]): Promise<boolean> {
  try {
    for await (const _ of read(bytes));
    return true;
  } catch {
    return false;
  }
}

const command = defineCommand({
  name: "fuzz",
  summary: "Feed mutated files to the readers of foreign formats.",
  description:
    "Each input must end in one clear line or a correct read, within a second and within 64 MiB " +
    "and four times its bytes. Exit code 1 when one does not.",
  argument: {
    name: "DIR",
    description: "a folder of files to mutate (default: recorded ones)",
  },
  options: {
    count: {
      value: "N",
      parse: integer({ min: 1 }),
      default: 20_000,
      description: "inputs of each kind",
    },
    seed: { value: "S", parse: integer({ min: 0 }), default: 1, description: "seed of the inputs" },
    first: {
      value: "I",
      parse: integer({ min: 0 }),
      default: 0,
      description: "number of the first input, to see one again",
    },
    kind: { value: "KIND", choices: FUZZ_KINDS, description: "one kind alone" },
  },
  examples: [
    { args: "", does: "20,000 inputs of each kind" },
    { args: "--kind npz --first 1234 --count 1", does: "one input again" },
  ],
});

if (import.meta.main) {
  await runCommand(command, async ({ options, argument }) => {
    let failures = 0;
    for (const kind of options.kind ? [options.kind] : FUZZ_KINDS) {
      const report = await fuzz(kind, await fuzzSeeds(kind, argument), options);
      const { inputs, read, refused, slowestMs, mostBytes } = report;
      console.log(
        `${kind.padEnd(12)} ${inputs} inputs of seed ${options.seed}: ${read} read, ` +
          `${refused} refused for ${report.reasons.size} reasons, ${report.failures.length} wrong; slowest ${
            slowestMs.toFixed(0)
          } ms, ` +
          `most memory ${(mostBytes / 2 ** 20).toFixed(1)} MiB`,
      );
      for (const line of report.failures.slice(0, 20)) console.log(`  ${line}`);
      failures += report.failures.length;
    }
    return failures > 0 ? 1 : 0;
  });
}
