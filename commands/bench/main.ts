/**
 * `deno task bench`: how fast kernels and whole steps are on this adapter, beside what it can do at most.
 *
 * @module
 */
import { CASES } from "../../bench/cases.ts";
import { measure, type Measurement, selectCases } from "../../bench/measure.ts";
import {
  compareRuns,
  comparisonTable,
  formatRun,
  isMeasurement,
  jsonLine,
  measurementTable,
  parseRun,
  type SavedRun,
} from "../../bench/report.ts";
import { setVariantPolicy, VARIANT_FAMILIES } from "../../kernels/shared/variants.ts";
import { defineCommand, type OptionValues, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { atomicWrite, readNamedFile } from "../../support/files.ts";
import { integer } from "../../support/numbers.ts";
import { pytorchNetworks } from "../../bench/unet_step.ts";
import { measureAgainst, pairingTable } from "./against.ts";
import { findPyTorch, measurePyTorch, PYTORCH_KERNELS, pytorchTable } from "../shared/pytorch.ts";
import { ADAPTER_OPTION } from "../shared/adapter_choice.ts";
import { openScriptGpu } from "../shared/gpu.ts";
import { checkResultFile } from "../shared/path_checks.ts";

const command = defineCommand({
  name: "bench",
  summary: "Benchmark kernels and whole steps against this adapter's measured peak.",
  description:
    "Every case is checked against a reference before it is timed. Samples of all cases take turns; the median and the best are printed, and the share of the measured ceiling. Exit code 1 when a case is wrong.",
  options: {
    json: { description: "print a JSON line a measurement" },
    filter: {
      value: "TEXT",
      description: "only cases whose name contains TEXT, or one of several, separated by commas",
    },
    list: { description: "print the cases and stop" },
    save: { value: "FILE", description: "keep the run as JSON" },
    compare: { value: "FILE", description: "print how much faster this run is than a kept one" },
    against: {
      value: "FOLDER",
      description: "take turns with another checkout of the project and print the ratios",
    },
    pytorch: {
      description:
        "measure kernels and steps of U-Nets in a PyTorch that is there too, and print the ratios",
    },
    rounds: { value: "N", parse: integer({ min: 1 }), default: 5, description: "samples a case" },
    sampleMs: {
      value: "MS",
      parse: integer({ min: 1 }),
      default: 200,
      description: "milliseconds that a sample aims at",
    },
    seconds: {
      value: "S",
      parse: integer({ min: 1 }),
      description: "begin no further round of samples after S seconds",
    },
    batch: {
      value: "N",
      parse: integer({ min: 1 }),
      default: 2,
      description: "images of a batch of the CIFAR-10 network",
    },
    variant: {
      value: "FAMILY",
      choices: VARIANT_FAMILIES,
      description: "compute products and convolutions by one family of kernels where it fits",
    },
    adapter: ADAPTER_OPTION,
  },
  examples: [
    { args: "", does: "measures everything; minutes on a CPU driver" },
    { args: "--filter conv2d,matmul --json", does: "a few cases, for a program to read" },
    { args: "--save before.json", does: "keeps a run, for --compare before.json after a change" },
    { args: "--pytorch --filter unet", does: "steps of U-Nets beside those of PyTorch" },
    {
      args: "--against ../before --filter conv2d",
      does: "compares this checkout with another in one sitting, a round of each by turns",
    },
  ],
});

async function readRun(path: string): Promise<SavedRun> {
  return parseRun(new TextDecoder().decode(await readNamedFile("the run", path)), path);
}

type Options = OptionValues<typeof command.options>;

const say = (line: string) => console.error(line);

/** Prints objects as JSON lines, or all of them as a table. */
function print<T>({ json }: Options, lines: readonly T[], table: (lines: readonly T[]) => string) {
  if (json) { for (const line of lines) console.log(JSON.stringify(line)); }
  else console.log(table(lines));
}

/** By turns with another checkout. */
async function benchAgainst(folder: string, options: Options): Promise<void> {
  const { filter, rounds, sampleMs, batch, variant } = options;
  const shared = [
    ...["--rounds", "1", "--sample-ms", `${sampleMs}`, "--batch", `${batch}`],
    ...(filter ? ["--filter", filter] : []),
    ...(variant ? ["--variant", variant] : []),
  ];
  print(options, await measureAgainst(folder, shared, rounds, say), pairingTable);
}

/** The same cases in PyTorch, as far as it has them. */
async function benchPyTorch(
  python: string,
  options: Options,
  measurements: readonly Measurement[],
): Promise<void> {
  const { batch, rounds, sampleMs } = options;
  say("measuring PyTorch");
  const names = measurements.map((it) => it.case);
  const chosen = [
    ...PYTORCH_KERNELS.filter((name) => names.includes(name)).map((name) => ({ name })),
    ...pytorchNetworks({ batch }).filter(({ name }) =>
      names.some((it) => it.startsWith(`${name}_`))
    ),
  ];
  const lines = await measurePyTorch(python, chosen, rounds * sampleMs / 1e3);
  if (options.json) {
    for (const line of lines) console.log(JSON.stringify({ lib: "pytorch", ...line }));
  } else console.log(pytorchTable(measurements, lines));
}

/** @throws {UsageError} Where no case is chosen. */
function chosenCases({ filter = "" }: Options): ReturnType<typeof selectCases> {
  try {
    return selectCases(CASES, filter);
  } catch (cause) {
    if (!(cause instanceof RangeError)) throw cause;
    throw new UsageError(cause.message, { cause });
  }
}

/** @returns The exit code: 1 where a case is wrong. */
async function bench(options: Options): Promise<number> {
  const { json, compare, save, batch, rounds, sampleMs, seconds } = options;
  const python = options.pytorch ? await findPyTorch() : null;
  await checkResultFile(save, { extension: ".json" });
  const before = compare === undefined ? undefined : await readRun(compare);
  const cases = chosenCases(options);
  const gpu = await openScriptGpu();
  const adapter = gpu.description;
  if (options.variant) setVariantPolicy(gpu, { forced: options.variant });
  if (!json) console.log(`Adapter: ${adapter}`);
  const outcomes = await measure(gpu, cases, { batch, rounds, sampleMs, seconds, say });
  const measurements = outcomes.filter(isMeasurement);
  if (json) outcomes.forEach((outcome) => console.log(jsonLine(outcome, adapter)));
  else console.log(measurementTable(outcomes));
  if (python !== null) await benchPyTorch(python, options, measurements);
  if (before) {
    if (!json) console.log(`Against ${compare} of ${before.date} on ${before.adapter}:`);
    print(options, compareRuns(before.measurements, measurements), comparisonTable);
  }
  if (save) {
    const runtime = `Deno ${Deno.version.deno}, ${Deno.build.os} ${Deno.build.arch}`;
    const run = { adapter, date: new Date().toISOString(), runtime, measurements };
    await atomicWrite(save, formatRun(run));
  }
  gpu.destroy();
  return outcomes.every(isMeasurement) ? 0 : 1;
}

if (import.meta.main) {
  await runCommand(command, async ({ options }) => {
    if (options.list) {
      for (const { name, summary } of CASES) console.log(`${name.padEnd(22)} ${summary}`);
    } else if (options.against) await benchAgainst(options.against, options);
    else return await bench(options);
  });
}
