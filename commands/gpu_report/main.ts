/**
 * `deno task gpu-report`: everything that can be learnt of a graphics card in a few minutes, in one call.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { TRAIN } from "../../training/options.ts";
import { defineCommand, type OptionValues, runCommand } from "../../support/command_line.ts";
import { dawnFolder } from "../../support/dawn.ts";
import { atomicWrite } from "../../support/files.ts";
import { integer } from "../../support/numbers.ts";
import { formatDuration } from "../../support/terminal.ts";
import { ADAPTER_OPTION } from "../shared/adapter_choice.ts";
import { openScriptGpu } from "../shared/gpu.ts";
import { checkResultFile } from "../shared/path_checks.ts";
import { findPyTorch } from "../shared/pytorch.ts";
import { reportPage } from "./page.ts";
import { reportParts } from "./parts.ts";
import { type PartResult, runPart } from "./run_part.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

const command = defineCommand({
  name: "gpu-report",
  summary: "Examine, check, measure and train on a graphics card in one call.",
  description:
    "Runs doctor, verify by each family of kernels, training, bench, the tests of kernels " +
    "and tune, each in a process of its own and within its share of the time, and writes what they " +
    "found as Markdown and JSON. Leave the machine alone meanwhile. Exit code 1 when a part failed.",
  options: {
    out: {
      value: "NAME",
      default: "gpu-report",
      description: "what the two files are called, without .md and .json",
    },
    minutes: {
      value: "N",
      parse: integer({ min: 1 }),
      default: 8,
      description: "longest time for all of it; parts that find none left are left out",
    },
    only: {
      value: "TEXT",
      description: "only parts whose name contains TEXT, or one of several, separated by commas",
    },
    quick: { description: "do everything in its shortest form, to try the report itself" },
    adapter: ADAPTER_OPTION,
  },
  examples: [
    { args: "", does: "writes gpu-report.md and gpu-report.json in 8 minutes" },
    { args: "--only verify,bench --out card", does: "two of the parts, as card.md and card.json" },
  ],
});

/** Precisions that a run may have and this adapter can compute. */
function precisionsOf(halves: boolean): string[] {
  const known = "precision" in TRAIN.fields;
  return known ? ["f32", ...(halves ? ["f16"] : [])] : [];
}

/** What the parts can make use of. */
async function surroundings() {
  const gpu = await openScriptGpu();
  const { description: adapter } = gpu, precisions = precisionsOf(gpu.has("shader-f16"));
  gpu.destroy();
  const exists = (path: string) => Deno.stat(path).then(() => true, () => false);
  const dawn = await exists(dawnFolder(Deno.env));
  const pytorch = await findPyTorch().then(() => true, () => false);
  return { adapter, precisions, providers: ["deno", ...(dawn ? ["dawn"] : [])], pytorch };
}

async function report(options: OptionValues<typeof command.options>): Promise<number> {
  const { out, quick, only, minutes } = options;
  for (const extension of [".md", ".json"]) {
    await checkResultFile(`${out}${extension}`, { extension });
  }
  const begun = performance.now(), date = new Date().toISOString();
  const { adapter, ...found } = await surroundings();
  const work = await Deno.makeTempDir({ prefix: "diffract-gpu-report-" });
  const facts = {
    ...{ adapter, date },
    runtime: `Deno ${Deno.version.deno}, ${Deno.build.os} ${Deno.build.arch}`,
  };
  const results: PartResult[] = [];
  console.log(`Adapter: ${adapter}`);
  try {
    const texts = only?.split(",") ?? [""];
    for (const part of reportParts({ quick, work, ...found })) {
      if (!texts.some((text) => part.name.includes(text))) continue;
      const left = 60 * minutes - (performance.now() - begun) / 1e3;
      if (left < 1) {
        console.log(`${part.name}: left out, the time is up`);
        continue;
      }
      const result = await runPart(part, ROOT, left);
      results.push(result);
      console.log(`${part.name}: ${result.status} in ${formatDuration(result.seconds)}`);
      // What is known survives whatever comes next.
      await atomicWrite(`${out}.md`, reportPage(facts, results));
      await atomicWrite(
        `${out}.json`,
        `${JSON.stringify({ ...facts, parts: results }, null, 1)}\n`,
      );
    }
  } finally {
    await Deno.remove(work, { recursive: true });
  }
  console.log(`Wrote ${out}.md and ${out}.json`);
  return results.some(({ status }) => status === "failed") ? 1 : 0;
}

if (import.meta.main) await runCommand(command, ({ options }) => report(options));
