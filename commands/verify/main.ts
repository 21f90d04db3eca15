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
import { type CaseResult, GoldenFile } from "./golden.ts";
import { verifyInception } from "./inception.ts";
import { verifyOps } from "./ops.ts";
import { verifyUnet } from "./unet.ts";

/** Families that are replayed, in order. */
const FAMILIES = ["ops", "unet-small", "diffusion", "inception"] as const;

/** Counts of a run. */
export interface VerifySummary {
  passed: number;
  failed: number;
  unsupported: number;
}

/**
 * Replays every family that a folder holds.
 *
 * @param folder A folder in the layout of tests/golden.
 * @throws {UsageError} When the folder holds no family or a damaged one.
 */
export async function* verifyFolder(gpu: Gpu, folder: string): AsyncGenerator<CaseResult> {
  const files = await listFiles(folder);
  const golden = new Map<string, GoldenFile>();
  for (const family of FAMILIES) {
    if (files.includes(`${family}.safetensors`)) {
      golden.set(family, await GoldenFile.read(folder, family));
    }
  }
  const hasFid = files.includes(FID_INDEX), hasCkpt = files.includes(CKPT_INDEX);
  if (golden.size === 0 && !hasFid && !hasCkpt) {
    throw new UsageError(
      `Cannot verify ${folder}: it must hold recorded numbers such as ops.safetensors, got none`,
    );
  }
  const ops = golden.get("ops"),
    unet = golden.get("unet-small"),
    diffusion = golden.get("diffusion"),
    inception = golden.get("inception");
  if (ops) yield* verifyOps(gpu, ops);
  if (unet) yield* verifyUnet(gpu, unet);
  if (diffusion) yield* verifyDiffusion(gpu, diffusion, unet);
  if (inception) yield* verifyInception(gpu, inception);
  if (hasFid) yield* verifyFid(folder);
  if (hasCkpt) yield* verifyCkpt(gpu, folder);
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
  if ("unsupported" in result) return `${name} ${"".padEnd(42)} unsupported`;
  const verdict = result.ok ? "ok" : styled("red", "FAIL");
  return `${name} ${result.tensor.slice(-42).padEnd(42)} ${
    result.worst.toExponential(2).padStart(9)
  } of ${result.budget.toExponential(2)}  ${verdict}`;
}

const command = defineCommand({
  name: "verify",
  summary: "Replay PyTorch's recorded numbers on this adapter.",
  description:
    "Prints a line a case: its tensor nearest to the budget, the worst error, the budget, ok or FAIL. Exit code 1 on any FAIL.",
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
    const summary: VerifySummary = { passed: 0, failed: 0, unsupported: 0 };
    for await (const result of verifyFolder(gpu, folder)) {
      if ("unsupported" in result) summary.unsupported++;
      else if (result.ok) summary.passed++;
      else summary.failed++;
      console.log(options.json ? JSON.stringify(result) : formatResult(result));
    }
    const { passed, failed, unsupported } = summary;
    console.log(
      options.json
        ? JSON.stringify({ summary })
        : `${passed} passed, ${failed} failed, ${unsupported} unsupported`,
    );
    return failed > 0 ? 1 : 0;
  });
}
