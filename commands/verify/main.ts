/**
 * `deno task verify [DIR]`: replays recorded reference numbers on this adapter. For users a check of
 * their driver; for the project the test that cannot be argued with.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { setVariantPolicy, VARIANT_FAMILIES } from "../../kernels/shared/variants.ts";
import { defineCommand, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { listNamedFolder } from "../../support/files.ts";
import { styled } from "../../support/terminal.ts";
import { openScriptGpu } from "../shared/gpu.ts";
import { CKPT_INDEX, verifyCkpt } from "./ckpt.ts";
import { verifyDiffusion } from "./diffusion.ts";
import { FID_INDEX, verifyFid } from "./fid.ts";
import { type CaseResult, GoldenFile, replay, unsupported } from "./golden.ts";
import { verifyInception } from "./inception.ts";
import { verifyOps } from "./ops.ts";
import { verifyUnet } from "./unet.ts";

/** Families of one file and its manifest that are replayed, in order. */
const FAMILIES: Readonly<
  Record<
    string,
    (
      gpu: Gpu,
      golden: GoldenFile,
      others: ReadonlyMap<string, GoldenFile>,
    ) => AsyncIterable<CaseResult>
  >
> = {
  "ops": verifyOps,
  "unet-small": verifyUnet,
  "diffusion": (gpu, golden, others) => verifyDiffusion(gpu, golden, others.get("unet-small")),
  "inception": verifyInception,
};

/** Counts of a run. */
export interface VerifySummary {
  passed: number;
  failed: number;
  unsupported: number;
}

/**
 * Replays every family that a folder holds. What is not known here is counted as unsupported, and
 * what breaks as failed; the rest is replayed all the same.
 *
 * @param folder A folder in the layout of tests/golden.
 * @throws {UsageError} When the folder holds no family, or none that can be read.
 */
export async function* verifyFolder(gpu: Gpu, folder: string): AsyncGenerator<CaseResult> {
  const files = await listFiles(folder);
  const names = files.flatMap((file) => /^([^/]+)\.safetensors$/.exec(file)?.[1] ?? []);
  const hasFid = files.includes(FID_INDEX), hasCkpt = files.includes(CKPT_INDEX);
  if (names.length === 0 && !hasFid && !hasCkpt) {
    throw new UsageError(
      `Cannot verify ${folder}: it must hold recorded numbers such as ops.safetensors, got none`,
    );
  }
  const golden = new Map<string, GoldenFile>();
  const damaged = new Map<string, unknown>();
  for (const family of names.filter((name) => name in FAMILIES)) {
    try {
      golden.set(family, await GoldenFile.read(folder, family));
    } catch (error) {
      damaged.set(family, error);
    }
  }
  if (damaged.size === names.length && !hasFid && !hasCkpt) throw [...damaged.values()][0];
  const whole = (family: string) => ({ case: "all", family, op: "family" });
  for (const [family, verify] of Object.entries(FAMILIES)) {
    const file = golden.get(family);
    if (file) yield* replay(whole(family), () => verify(gpu, file, golden));
    else if (damaged.has(family)) {
      yield* replay(whole(family), () => Promise.reject(damaged.get(family)));
    }
  }
  if (hasFid) yield* replay(whole("fid"), () => verifyFid(folder));
  if (hasCkpt) yield* replay(whole("ckpt"), () => verifyCkpt(gpu, folder));
  for (const family of names.filter((name) => !(name in FAMILIES))) {
    yield unsupported(whole(family), "the family is not known");
  }
}

async function listFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const { name, isFile, isDirectory } of await listNamedFolder("verify", folder)) {
    if (isFile) files.push(name);
    if (!isDirectory) continue;
    for (const inner of await listNamedFolder("verify", `${folder}/${name}`)) {
      if (inner.isFile) files.push(`${name}/${inner.name}`);
    }
  }
  return files.sort();
}

function formatResult(result: CaseResult): string {
  const name = `${result.family}/${result.case}`.padEnd(44);
  if ("unsupported" in result) return `${name} unsupported: ${result.reason}`;
  const verdict = result.ok ? "ok" : styled("red", "FAIL");
  if (result.reason !== undefined) return `${name} ${verdict}: ${result.reason}`;
  return `${name} ${result.tensor.slice(-42).padEnd(42)} ${
    result.worst.toExponential(2).padStart(9)
  } of ${result.budget.toExponential(2)}  ${verdict}`;
}

function count(summary: VerifySummary, result: CaseResult): void {
  if ("unsupported" in result) summary.unsupported++;
  else if (result.ok) summary.passed++;
  else summary.failed++;
}

const noCounts = (): VerifySummary => ({ passed: 0, failed: 0, unsupported: 0 });

const formatCounts = ({ passed, failed, unsupported }: VerifySummary) =>
  `${passed} passed, ${failed} failed, ${unsupported} unsupported`;

const command = defineCommand({
  name: "verify",
  summary: "Replay PyTorch's recorded numbers on this adapter.",
  description:
    "Prints a line a case: its tensor nearest to the budget, the worst error, the budget, ok or FAIL; " +
    "cases that are not known here are unsupported. Exit code 1 on any FAIL.",
  argument: { name: "DIR", description: "a folder of recorded numbers (default: tests/golden)" },
  options: {
    json: { description: "print a JSON line a case, then the counts" },
    variant: {
      value: "FAMILY",
      choices: VARIANT_FAMILIES,
      description: "compute products and convolutions by one family of kernels where it fits",
    },
  },
  examples: [
    { args: "", does: "replays the small set that ships with the project" },
    { args: "path/to/golden --json", does: "replays another folder for a program to read" },
    { args: "--variant tiled", does: "holds the kernels for graphics cards to the same numbers" },
  ],
});

if (import.meta.main) {
  await runCommand(command, async ({ options, argument }) => {
    const folder = argument ?? new URL("../../tests/golden", import.meta.url).pathname;
    const gpu = await openScriptGpu();
    if (options.variant) setVariantPolicy(gpu, { forced: options.variant });
    if (!options.json) console.log(`Adapter: ${gpu.description}`);
    const summary = noCounts();
    const families: Record<string, VerifySummary> = {};
    for await (const result of verifyFolder(gpu, folder)) {
      count(summary, result);
      count(families[result.family] ??= noCounts(), result);
      console.log(options.json ? JSON.stringify(result) : formatResult(result));
    }
    if (options.json) console.log(JSON.stringify({ summary, families }));
    else {
      for (const [family, counts] of Object.entries(families)) {
        console.log(`${family}: ${formatCounts(counts)}`);
      }
      console.log(formatCounts(summary));
    }
    return summary.failed > 0 ? 1 : 0;
  });
}
