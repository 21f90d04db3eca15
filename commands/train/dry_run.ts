/**
 * What `train --dry-run` tells of a config: its network, the plan of its step, and whether it fits the
 * adapter. No data are read and no memory is taken.
 *
 * @module
 */
import { configWarnings } from "../../config/checks.ts";
import type { Config } from "../../config/schema.ts";
import { UsageError } from "../../support/errors.ts";
import type { Gpu } from "../../device/gpu.ts";
import { planningGpu } from "../../device/planning_gpu.ts";
import { formatTable } from "../../support/terminal.ts";
import { type Fit, fitStep, remedyOf } from "../../training/fit.ts";
import {
  describeGpu,
  describeNetwork,
  formatBytes,
  formatCount,
} from "../../training/run_summary.ts";
import { networkShape } from "../../training/network_shape.ts";
import { checkPrecision } from "../../training/precision.ts";
import { networkOf } from "../../training/run.ts";
import { plannedProcess } from "../../training/run_process.ts";
import { fitSampling, imagesAtOnce, type SamplingPlan } from "../../training/sample_batch.ts";
import type { StepPlan, StepSubject } from "../../training/step_plan.ts";
import { availableMemory, openScriptGpu } from "../shared/gpu.ts";
import { stepInstruments } from "../shared/instruments.ts";
import { tuneRun } from "../shared/run_options.ts";
import type { TuneMode } from "../shared/tuning_tables.ts";

/** Rows of the table of holders. */
const ROWS = 8;

/** What is told of. */
export interface DryRun {
  readonly config: Config;
  readonly mode: TuneMode;
  /** File of the choices of kernels of a run that goes on. */
  readonly recorded?: string | undefined;
  readonly say: (line: string) => void;
}

/** Tells of a config; without an adapter, of its network alone. */
export async function tellDryRun({ config, mode, recorded, say }: DryRun): Promise<void> {
  say(`${config.model.name}: ${describeNetwork(networkOf(config), networkShape(config))}`);
  for (const warning of configWarnings(config)) say(`note: ${warning}`);
  let gpu: Gpu;
  try {
    gpu = await openScriptGpu();
  } catch (error) {
    if (error instanceof UsageError) throw error;
    say(`note: the step is not planned: ${error instanceof Error ? error.message : error}`);
    return;
  }
  try {
    checkPrecision(gpu, config.train.precision, "--train.precision=f32");
  } catch (error) {
    say(`note: ${(error as Error).message}`);
  }
  try {
    await tuneRun(gpu, config, { mode, recorded, planned: true, say });
  } catch (error) {
    // Not even a plan can be made, which the fit says.
    if (!(error instanceof RangeError)) throw error;
  }
  const memory = availableMemory(gpu);
  const network = networkOf(config);
  // Once here, as the fit makes them many times.
  stepInstruments(planningGpu(gpu), config, { say });
  const fit = fitStep({
    ...{ gpu, config, network },
    observers: (gpu) => stepInstruments(gpu, config),
  }, memory);
  say(`adapter   ${describeGpu(gpu)}`);
  say(fitText(fit, planPreviews({ gpu, config, network, fit }, memory)));
}

/** Previews' plan, in words why there is none, or null where they are off. */
type Previews = SamplingPlan | string | null;

function planPreviews(
  { gpu, config, network, fit }: StepSubject & { readonly fit: Fit },
  memory: number,
): Previews {
  const { train } = config;
  if (train.sampleEvery === 0) return null;
  const step = fit.fitting ?? fit.asIs;
  const left = step ? memory - step.stateBytes - step.memory.peakBytes : memory;
  try {
    const process = plannedProcess(config);
    const size = networkShape(config), most = imagesAtOnce(size, train.sampleCount);
    return fitSampling({ gpu, network, process, size }, { memory: left, most });
  } catch (error) {
    if (!(error instanceof RangeError)) throw error;
    return `Previews do not fit: ${error.message}; --train.sampleEvery=0 leaves them out`;
  }
}

/** A step's plan, and what to do where it does not fit. */
export function fitText(fit: Fit, previews: Previews = null): string {
  const { asIs, reason, fitting } = fit;
  const lines = asIs ? [planText(asIs, typeof previews === "string" ? null : previews)] : [];
  if (reason !== null) {
    const less = fitting ? `, ${formatBytes(fitting.memory.peakBytes)} of activations` : "";
    const subject = asIs ? `${formatCount(asIs.images)} images at once do` : "The step does";
    lines.push(`${subject} not fit: ${reason}; use ${remedyOf(fit)}${less}`);
  }
  if (typeof previews === "string") lines.push(previews);
  return lines.join("\n");
}

/** A step's work, its memory and the biggest activations at the fullest moment. */
export function planText(plan: StepPlan, previews: SamplingPlan | null = null): string {
  const { images, accumulate, dispatches, flops, parameterBytes, memory } = plan;
  const parts = accumulate > 1 ? ` in ${accumulate} parts of ${formatCount(images)}` : "";
  const work = `${formatCount(images * accumulate)} images${parts}, ` +
    `${formatCount(dispatches)} dispatches, ${gigaflops(flops)} GFLOP`;
  const rows: [string, number][] = [
    ["weights", parameterBytes],
    ["gradients", parameterBytes],
    ["two moments of the optimiser", 2 * parameterBytes],
    ["average of the weights", parameterBytes],
    ["activations at the peak", memory.peakBytes],
    ["activations without sharing", memory.unsharedBytes],
  ];
  if (previews) {
    const { batch, bytes } = previews;
    rows.push([`previews, ${batch === 1 ? "1 image" : `${batch} images`} at once`, bytes]);
  }
  const sizes = formatTable(["memory", "MiB"], rows.map(([name, bytes]) => [name, mib(bytes)]));
  return `step      ${work}\n${sizes}\n${holdersText(memory.holders)}`;
}

/** Equal holders in one row, the row of most bytes first. */
function holdersText(holders: StepPlan["memory"]["holders"]): string {
  const rows = new Map<string, { label: string; count: number; bytes: number }>();
  for (const { label, bytes } of holders) {
    const key = `${label} ${bytes}`, row = rows.get(key);
    if (row) row.count++;
    else rows.set(key, { label, count: 1, bytes });
  }
  const biggest = [...rows.values()].sort((a, b) => b.count * b.bytes - a.count * a.bytes);
  return formatTable(
    ["biggest at the peak", "tensors", "MiB each", "MiB"],
    biggest.slice(0, ROWS).map(({ label, count, bytes }) => [
      ...[label, count, mib(bytes), mib(count * bytes)],
    ]),
  );
}

function gigaflops(flops: number): string {
  const giga = flops / 1e9;
  return giga < 100 ? giga.toPrecision(3) : formatCount(Math.round(giga));
}

function mib(bytes: number): number {
  return Number((bytes / 2 ** 20).toFixed(bytes < 2 ** 20 ? 3 : 1));
}
