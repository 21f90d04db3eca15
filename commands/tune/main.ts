/**
 * Measures, ahead of runs, which kernels are fastest on this adapter for the steps of configs:
 * `deno task tune [CONFIG ...]`.
 *
 * @module
 */
import { loadConfig, type Override } from "../../config/load.ts";
import { cacheFolder } from "../../data/fetching/cache.ts";
import type { Gpu } from "../../device/gpu.ts";
import { tuneVariants, type VariantTable } from "../../kernels/shared/measure_variants.ts";
import { setVariantPolicy } from "../../kernels/shared/variants.ts";
import { defineCommand, type Invocation, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { integer } from "../../support/numbers.ts";
import { networkShape } from "../../training/network_shape.ts";
import { checkPrecision } from "../../training/precision.ts";
import { networkOf } from "../../training/run.ts";
import { plannedProcess } from "../../training/run_process.ts";
import { fitSampling } from "../../training/sample_batch.ts";
import { stepOps } from "../../training/tunable_ops.ts";
import { ADAPTER_OPTION } from "../shared/adapter_choice.ts";
import { openScriptGpu } from "../shared/gpu.ts";
import { checkResultFolder } from "../shared/path_checks.ts";
import { keepChoices, knownChoices, newIn } from "../shared/tuning_tables.ts";

const command = defineCommand({
  name: "tune",
  summary: "Measure which kernels are fastest on this adapter, for later runs.",
  description:
    "Times every kernel that can compute a product or convolution of the configs' training and sampling steps, and keeps the fastest for runs to come. Leave the machine alone meanwhile. Runs without it take what the project knows of the adapter, or its rules.",
  arguments: [{ name: "CONFIG...", description: "configs of runs, as for train --config" }],
  options: {
    again: { description: "measure what is known already, too" },
    seconds: {
      value: "S",
      description: "longest time for a config; the rest keeps its rules",
      parse: integer({ min: 1 }),
      default: 600,
    },
    folder: {
      value: "FOLDER",
      description: "keep the table there and not in the user's cache",
    },
    adapter: ADAPTER_OPTION,
  },
  overrides: "sets a key of the configs, as in --train.batchSize=64",
  examples: [
    { args: "config/cifar10.json", does: "minutes, once for an adapter and driver" },
    {
      args: "config/cifar10.json --train.batchSize=64 --again",
      does: "for another batch size, and all anew",
    },
  ],
});

async function tune(
  { arguments: paths, options, overrides }: Invocation<typeof command.options>,
): Promise<void> {
  const { again, seconds, folder = cacheFolder("tuning") } = options;
  if (paths.length === 0) {
    throw new UsageError("Cannot tune: a run's config must be named, see --help");
  }
  await checkResultFolder(folder);
  const gpu = await openScriptGpu();
  let known: VariantTable = again ? new Map() : await knownChoices(gpu);
  for (const path of paths) {
    const ops = await opsOf(gpu, path, overrides);
    const missing = [...ops.keys()].filter((key) => !known.has(key)).length;
    console.log(`${path}: ${missing} of ${ops.size} products and convolutions to measure`);
    const table = await tuneVariants(gpu, ops, {
      known,
      budgetMs: 1e3 * seconds,
      say: (line) => console.log(`  ${line}`),
    });
    console.log(`kept in ${await keepChoices(gpu, newIn(table, known), folder)}`);
    known = table;
  }
}

/** The ops of a config's steps; their defaults are the rules', whatever was measured before. */
async function opsOf(gpu: Gpu, path: string, overrides: readonly Override[]) {
  const config = await loadConfig(path, overrides);
  const { batchSize, accumulate } = config.train;
  checkPrecision(gpu, config.train.precision, "--train.precision=f32");
  setVariantPolicy(gpu, {});
  const network = networkOf(config), size = networkShape(config);
  const process = plannedProcess(config);
  const { batch } = fitSampling({ gpu, network, process, size });
  return stepOps(gpu, network, batchSize / accumulate, batch, size);
}

if (import.meta.main) await runCommand(command, tune);
