/**
 * The adapter: what it is, which features it grants, and its limits beside what the shipped configs
 * need.
 *
 * @module
 */
import { loadConfig } from "../../config/load.ts";
import type { Gpu, GpuFeature } from "../../device/gpu.ts";
import { UsageError } from "../../support/errors.ts";
import { type Fit, fitStep, remedyOf } from "../../training/fit.ts";
import { describeGpu, formatBytes } from "../../training/run_summary.ts";
import { networkOf } from "../../training/run.ts";
import type { StepPlan } from "../../training/step_plan.ts";
import { stepInstruments } from "../shared/instruments.ts";
import type { Finding } from "./finding.ts";

/** What is lost without a feature. */
const FEATURES: Readonly<Record<GpuFeature, string>> = {
  "subgroups": "products and convolutions use slower kernels",
  "timestamp-query": "deno task profile measures by waiting, which is less exact",
  "shader-f16": "train.precision=f16 and --precision f16 are refused",
};

/** The adapter and its features. */
export function examineAdapter(gpu: Gpu): Finding[] {
  const { info } = gpu;
  const kind = info.isFallbackAdapter ? "a CPU driver" : "a graphics card";
  const data = {
    ...{ vendor: info.vendor, architecture: info.architecture, description: info.description },
    ...{ device: info.device, fallback: info.isFallbackAdapter, subgroupSize: gpu.subgroupSize },
    slowBroadcasts: gpu.slowBroadcasts,
  };
  const adapter: Finding = {
    ...{ area: "gpu", name: "adapter", status: "ok", text: `${describeGpu(gpu)}; ${kind}`, data },
  };
  const features = Object.entries(FEATURES).map(([name, lost]): Finding => {
    const there = gpu.has(name as GpuFeature);
    const size = gpu.subgroupSize === 0
      ? ", of varying size, so unused"
      : `, of ${gpu.subgroupSize}${
        gpu.slowBroadcasts ? ", whose broadcasts are slow and avoided" : ""
      }`;
    const sure = there ? `yes${name === "subgroups" ? size : ""}` : `no: ${lost}`;
    return { area: "gpu", name, status: there ? "ok" : "note", text: sure, data: { there } };
  });
  return [adapter, ...features, matrixUnits(gpu)];
}

/** What its matrix units multiply. */
function matrixUnits({ matrixShapes }: Gpu): Finding {
  const there = matrixShapes.length > 0;
  const shapes = matrixShapes.map(({ component, m, n, k }) => `${component} ${m}x${n}x${k}`);
  return {
    ...{ area: "gpu", name: "matrix units", status: there ? "ok" : "note" },
    text: there
      ? shapes.join(", ")
      : "no: where a card has some, only DIFFRACT_GPU=dawn grants them",
    data: { shapes: matrixShapes },
  };
}

/** The adapter's limits, in what the configs need. */
export function examineLimits(gpu: Gpu, plans: readonly StepPlan[]): Finding[] {
  const { limits } = gpu;
  const most = (of: (plan: StepPlan) => number) => Math.max(0, ...plans.map(of));
  const count = (value: number) => value.toLocaleString("en-US");
  const rows: [name: string, has: number, needed: number, show: (n: number) => string][] = [
    [
      "largest binding",
      limits.maxStorageBufferBindingSize,
      most((plan) => plan.largest.bytes),
      formatBytes,
    ],
    [
      "buffers of a kernel",
      limits.maxStorageBuffersPerShaderStage,
      most((plan) => plan.buffers),
      count,
    ],
    [
      "threads of a group",
      limits.maxComputeInvocationsPerWorkgroup,
      most((plan) => plan.invocations),
      count,
    ],
    [
      "memory of a group",
      limits.maxComputeWorkgroupStorageSize,
      most((plan) => plan.workgroupBytes),
      formatBytes,
    ],
  ];
  const findings = rows.map(([name, has, needed, show]): Finding => ({
    ...{ area: "gpu", name, status: has >= needed ? "ok" : "warn" },
    text: `${show(has)}; the configs below use up to ${show(needed)}`,
    data: { has, needed },
    ...(has >= needed ? {} : { remedy: "another adapter or driver; smaller models may still fit" }),
  }));
  const buffer: Finding = {
    ...{ area: "gpu", name: "largest buffer", status: "note" },
    text: formatBytes(limits.maxBufferSize),
    data: { has: limits.maxBufferSize },
  };
  return [buffer, ...findings];
}

/** A config that was examined. */
export interface ExaminedConfig {
  readonly finding: Finding;
  /** Its step, in as few parts as fit. */
  readonly plan: StepPlan | null;
}

/**
 * How a config's step fits.
 *
 * @param memory Bytes available to it where that is known: on CPU drivers.
 */
export async function examineConfig(
  gpu: Gpu,
  path: string,
  memory: number,
): Promise<ExaminedConfig> {
  const found = { area: "configs", name: path } as const;
  let fit: Fit;
  try {
    const config = await loadConfig(path);
    const observers = (gpu: Gpu) => stepInstruments(gpu, config);
    fit = fitStep({ gpu, config, network: networkOf(config), observers }, memory);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const remedy = "mend the config; deno task train --dry-run --config FILE checks it";
    return { finding: { ...found, status: "warn", text: error.message, remedy }, plan: null };
  }
  const { asIs, reason, fitting } = fit;
  const data = { asIs: asIs && figures(asIs), fitting: fitting && figures(fitting) };
  if (fitting && reason === null) {
    return { finding: { ...found, status: "ok", text: describe(fitting), data }, plan: fitting };
  }
  const text = `${asIs ? `${asIs.images} images at once do` : "does"} not fit: ${reason}`;
  const remedy = remedyOf(fit) + (fitting ? `, ${describe(fitting)}` : "");
  return { finding: { ...found, status: "warn", text, remedy, data }, plan: fitting };
}

/** A plan's figures without the list of holders. */
function figures({ memory: { peakBytes, unsharedBytes }, ...rest }: StepPlan) {
  return { ...rest, peakBytes, unsharedBytes };
}

function describe({ stateBytes, memory, largest }: StepPlan): string {
  return `${formatBytes(stateBytes)} of state, ${formatBytes(memory.peakBytes)} of activations, ` +
    `largest tensor ${formatBytes(largest.bytes)}`;
}
