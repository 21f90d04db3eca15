/**
 * `deno task verify [DIR]`: replays recorded reference numbers on this adapter. For users a check of
 * their driver; for the project the test that cannot be argued with.
 *
 * @module
 */
import { setVariantPolicy, VARIANT_FAMILIES } from "../../kernels/shared/variants.ts";
import { defineCommand, runCommand } from "../../support/command_line.ts";
import { styled } from "../../support/terminal.ts";
import { ADAPTER_OPTION } from "../shared/adapter_choice.ts";
import { openScriptGpu } from "../shared/gpu.ts";
import { verifyFolder } from "./folder.ts";
import type { CaseResult } from "./golden.ts";

/** Counts of a run. */
export interface VerifySummary {
  passed: number;
  failed: number;
  unsupported: number;
}

function formatResult(result: CaseResult): string {
  const name = `${result.family}/${result.case}`.padEnd(44);
  if ("unsupported" in result) return `${name} unsupported: ${result.reason}`;
  const verdict = result.ok ? "ok" : styled("red", "FAIL");
  if (result.reason !== undefined) return `${name} ${verdict}: ${result.reason}`;
  const apart = result.apart ? `, without ${result.apart.join(", ")}` : "";
  return `${name} ${result.tensor.slice(-42).padEnd(42)} ${
    result.worst.toExponential(2).padStart(9)
  } of ${result.budget.toExponential(2)}  ${verdict}${apart}`;
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
    adapter: ADAPTER_OPTION,
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
