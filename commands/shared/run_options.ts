/**
 * What commands that take a run's config share: its option, the quickstart, and the choice of kernels.
 *
 * @module
 */
import { relative } from "node:path";
import { fileURLToPath } from "node:url";
import type { Config } from "../../config/schema.ts";
import type { Gpu } from "../../device/gpu.ts";
import { planningGpu } from "../../device/planning_gpu.ts";
import type { VariantTable } from "../../kernels/shared/measure_variants.ts";
import type { OptionSpecs } from "../../support/command_line.ts";
import { SAMPLE_BATCH } from "../../diffusion/sampling.ts";
import type { Network } from "../../model/network.ts";
import { withRemedy } from "../../training/fit.ts";
import { networkShape } from "../../training/network_shape.ts";
import { checkPrecision } from "../../training/precision.ts";
import { networkOf } from "../../training/run.ts";
import { plannedProcess } from "../../training/run_process.ts";
import { fitSampling, imagesAtOnce } from "../../training/sample_batch.ts";
import { stepOps } from "../../training/tunable_ops.ts";
import { applyTuning, TUNE_MODES, type TuneMode } from "./tuning_tables.ts";

/** The config that is taken where none is named. */
export const QUICKSTART = relative(
  Deno.cwd(),
  fileURLToPath(new URL("../../config/quickstart.json", import.meta.url)),
);

/** Options that name a config and tell how kernels are chosen. */
export const RUN_OPTIONS = {
  config: { value: "FILE", description: "the run's config; config/quickstart.json by default" },
  tune: {
    value: "MODE",
    choices: TUNE_MODES,
    default: "cached",
    description: "choose kernels by default rules, by earlier measurements, or measure first",
  },
} as const satisfies OptionSpecs;

/** How a run's kernels are chosen. */
export interface RunTuning {
  readonly mode: TuneMode;
  /** File of the choices of a run that goes on. */
  readonly recorded?: string | undefined;
  /** Whether the step is only planned: nothing is measured, and it need not fit. */
  readonly planned?: boolean;
  readonly say: (line: string) => void;
}

/**
 * Chooses kernels for the steps of a config.
 *
 * @throws {RangeError} When a step does not fit the adapter; the message names the remedy.
 */
export async function tuneRun(
  gpu: Gpu,
  config: Config,
  { mode, recorded, planned = false, say }: RunTuning,
): Promise<VariantTable> {
  const network = networkOf(config);
  const { batchSize, accumulate, precision } = config.train;
  if (!planned) checkPrecision(gpu, precision, "--train.precision=f32");
  const listed = planned ? planningGpu(gpu, { unlimited: true }) : gpu;
  return await withRemedy({ gpu, config, network }, async () => {
    const samples = sampledAtOnce(gpu, network, config);
    const size = networkShape(config);
    const ops = stepOps(listed, network, batchSize / accumulate, samples, size);
    const used = planned && mode === "full" ? "cached" : mode;
    return await applyTuning({ gpu, mode: used, recorded, ops, say });
  });
}

/** Images that a run's sampling step computes at once; 0 where it draws none, or cannot. */
function sampledAtOnce(
  gpu: Gpu,
  network: Network,
  config: Config,
): number {
  const { train, metrics } = config;
  if (train.sampleEvery === 0 && metrics.every === 0) return 0;
  try {
    const process = plannedProcess(config);
    const size = networkShape(config);
    // An evaluation fills its batches.
    const most = metrics.every > 0 ? SAMPLE_BATCH : imagesAtOnce(size, train.sampleCount);
    return fitSampling({ gpu, network, process, size }, { most }).batch;
  } catch (error) {
    // Previews say it, once they are made.
    if (error instanceof RangeError) return 0;
    throw error;
  }
}
