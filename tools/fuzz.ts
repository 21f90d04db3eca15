/**
 * Feeds mutated files to the readers: `deno task fuzz`. Each must end in a clear error or a correct
 * read, quickly, and without taking memory that the file does not justify. Input i depends on the seed
 * and i alone.
 *
 * @module
 */
import { readNpz, writeNpz } from "../formats/npy.ts";
import { readPt } from "../formats/pt.ts";
import { readSafetensors, type StoredTensor, writeSafetensors } from "../formats/safetensors.ts";
import { writeZip, ZipArchive } from "../formats/zip.ts";
import { defineCommand, runCommand } from "../support/command_line.ts";
import { integer } from "../support/numbers.ts";
import { flatten } from "./convert/source.ts";
import { mutate, Random } from "./fuzz/mutate.ts";

/** Kinds of files. */
export const FUZZ_KINDS = ["pt-zip", "pt-legacy", "npz", "safetensors"] as const;

/** A kind of file. */
export type FuzzKind = typeof FUZZ_KINDS[number];

/** A whole file that mutations start from. */
export interface FuzzSeed {
  readonly name: string;
  readonly bytes: Uint8Array;
}

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

/** An input may take this long. */
const MOST_MS = 1000;
/** An input may take this much memory, and four times its bytes. */
const FREE_BYTES = 64 << 20;
/** Larger files are left out: they would only be slow. */
const LARGEST_SEED = 256 << 10;

/** Reads every tensor of a file, and so all of its bytes that matter. */
const READERS: Readonly<Record<FuzzKind, (bytes: Uint8Array) => Iterable<StoredTensor>>> = {
  "pt-zip": readPtTensors,
  "pt-legacy": readPtTensors,
  npz: (bytes) => readNpz(bytes).values(),
  safetensors: (bytes) => readSafetensors(bytes).tensors.values(),
};

function* readPtTensors(bytes: Uint8Array): Generator<StoredTensor> {
  for (const tensor of flatten(readPt(bytes)).tensors.values()) yield tensor.read();
}

/**
 * Feeds `count` mutated files to a reader.
 *
 * @param first Number of the first input.
 */
export function fuzz(
  kind: FuzzKind,
  seeds: readonly FuzzSeed[],
  { count, seed, first = 0 }: { count: number; seed: number; first?: number },
): FuzzReport {
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
    const outcome = feed(kind, bytes, report);
    if (outcome !== null) report.failures.push(`input ${i} (from ${name}): ${outcome}`);
  }
  return report;
}

function makeInput(kind: FuzzKind, seeds: readonly FuzzSeed[], random: Random): FuzzSeed {
  const { name, bytes } = random.pick(seeds);
  const other = random.pick(seeds).bytes;
  if (random.below(4) > 0) {
    if (kind === "pt-zip" || kind === "npz") {
      return { name, bytes: mutateInside(bytes, other, random) };
    }
    if (kind === "safetensors") return { name, bytes: mutateHeader(bytes, other, random) };
  }
  return { name, bytes: mutate(bytes, other, random) };
}

/** Changes a file of an archive and packs it anew, so that it gets past the checksums. */
function mutateInside(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const archive = ZipArchive.open(bytes);
  const files = Array.from(archive.entries.keys(), (name) => [name, archive.read(name)] as const);
  const pickle = files.findIndex(([name]) => name.endsWith("data.pkl"));
  const chosen = pickle >= 0 && random.below(4) > 0 ? pickle : random.below(files.length);
  const changed = files.map(([name, file], i) =>
    [name, i === chosen ? mutate(file, other, random) : file] as const
  );
  return writeZip(changed, { compress: random.below(2) === 0 });
}

/** Changes the header of a safetensors file and states its length right. */
function mutateHeader(bytes: Uint8Array, other: Uint8Array, random: Random): Uint8Array {
  const end = 8 + Number(new DataView(bytes.buffer, bytes.byteOffset).getBigUint64(0, true));
  const header = mutate(bytes.subarray(8, end), other, random);
  const result = new Uint8Array(8 + header.length + bytes.length - end);
  new DataView(result.buffer).setBigUint64(0, BigInt(header.length), true);
  result.set(header, 8);
  result.set(bytes.subarray(end), 8 + header.length);
  return result;
}

/** Reads an input; what is wrong about how that went, or null. */
function feed(kind: FuzzKind, bytes: Uint8Array, report: FuzzReport): string | null {
  const before = memoryInUse(), start = performance.now();
  let outcome: string | null = null;
  try {
    for (const { shape, data } of READERS[kind](bytes)) {
      const size = shape.reduce((product, n) => product * n, 1);
      if (data.length !== size) {
        outcome = `a tensor of shape [${shape}] has ${data.length} elements`;
      }
    }
    report.read++;
  } catch (error) {
    report.refused++;
    if (!isClear(error)) outcome = `no clear error: ${error}`;
    report.reasons.add(reasonOf(error));
  }
  const ms = performance.now() - start, growth = memoryInUse() - before;
  report.slowestMs = Math.max(report.slowestMs, ms);
  report.mostBytes = Math.max(report.mostBytes, growth);
  if (ms > MOST_MS) outcome ??= `took ${Math.round(ms)} ms`;
  if (growth > FREE_BYTES + 4 * bytes.length) outcome ??= `took ${growth} bytes`;
  return outcome;
}

/** One line in this project's words, of a class that says what is wrong. */
function isClear(error: unknown): boolean {
  return (error instanceof SyntaxError || error instanceof TypeError ||
    error instanceof RangeError) && /^Cannot [^\n]{10,2000}$/.test(error.message);
}

/** An error's text without names and numbers. */
function reasonOf(error: unknown): string {
  return (error as Error).message.replaceAll(/"(\\.|[^"\\])*"|\(.*\)|\[.*\]|\d+/g, "_");
}

function memoryInUse(): number {
  const { heapUsed, external } = Deno.memoryUsage();
  return heapUsed + external;
}

/** Whole files of a kind: recorded ones of a folder, or made here. */
export async function fuzzSeeds(kind: FuzzKind, folder: string): Promise<FuzzSeed[]> {
  const made = madeSeeds(kind);
  if (made) return made;
  const seeds: FuzzSeed[] = [];
  for await (const { name } of Deno.readDir(folder)) {
    if (!name.endsWith(".pt")) continue;
    const bytes = await Deno.readFile(`${folder}/${name}`);
    const isZip = bytes[0] === 0x50;
    if (isZip === (kind === "pt-zip") && bytes.length <= LARGEST_SEED && isWhole(bytes)) {
      seeds.push({ name, bytes });
    }
  }
  if (seeds.length === 0) {
    throw new Error(`Cannot mutate files of ${folder}: it must hold a ${kind} file`);
  }
  return seeds.sort((a, b) => a.name < b.name ? -1 : 1);
}

/** Whether a file can be read: mutations of one that can't would all fail where it does. */
function isWhole(bytes: Uint8Array): boolean {
  try {
    readPt(bytes);
    return true;
  } catch {
    return false;
  }
}

function madeSeeds(kind: FuzzKind): FuzzSeed[] | null {
  const f32 = (...shape: number[]): StoredTensor => {
    const count = shape.reduce((product, n) => product * n, 1);
    return { dtype: "F32", shape, data: Float32Array.from({ length: count }, (_, i) => i / 7) };
  };
  const arrays: [string, StoredTensor][] = [
    ["mu", { dtype: "F64", shape: [5], data: Float64Array.of(1, 2, 3, 4, 5) }],
    ["sigma", f32(5, 5)],
    ["count", { dtype: "I64", shape: [], data: BigInt64Array.of(7n) }],
    ["half", { dtype: "F16", shape: [2, 2], data: new Uint16Array(4) }],
    ["mask", { dtype: "BOOL", shape: [3], data: Uint8Array.of(1, 0, 1) }],
  ];
  if (kind === "npz") {
    return [
      { name: "stored.npz", bytes: writeNpz(arrays) },
      {
        name: "deflated.npz",
        bytes: writeNpz([...arrays, ["big", f32(64, 64)]], { compress: true }),
      },
    ];
  }
  if (kind !== "safetensors") return null;
  const metadata = { format: "pt", note: "some text" };
  return [
    { name: "plain.safetensors", bytes: writeSafetensors(arrays.slice(0, 3)) },
    { name: "metadata.safetensors", bytes: writeSafetensors([["a.weight", f32(3, 4)]], metadata) },
  ];
}

const command = defineCommand({
  name: "fuzz",
  summary: "Feed mutated files to the readers of foreign formats.",
  description:
    "Each input must end in one clear line or a correct read, within a second and within 64 MiB " +
    "and four times its bytes. Exit code 1 when one does not.",
  argument: {
    name: "DIR",
    description: "a folder of .pt files to mutate (default: recorded ones)",
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
    const folder = argument ?? new URL("../tests/golden/ckpt", import.meta.url).pathname;
    let failures = 0;
    for (const kind of options.kind ? [options.kind] : FUZZ_KINDS) {
      const report = fuzz(kind, await fuzzSeeds(kind, folder), options);
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
