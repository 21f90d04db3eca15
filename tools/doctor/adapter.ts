/**
 * The adapter: what it is, which features it grants, and its limits beside what the shipped configs
 * need.
 *
 * @module
 */
import { loadConfig } from "../../config/load.ts";
import type { Gpu, GpuFeature } from "../../device/gpu.ts";
import { UsageError } from "../../support/errors.ts";
import { describeGpu, formatBytes } from "../../training/report.ts";
import type { Finding } from "./finding.ts";
import { type Fit, fitConfig, type StepNeeds } from "./needs.ts";

/** What is lost without a feature. */
const FEATURES: Readonly<Record<GpuFeature, string>> = {
  "subgroups": "products and convolutions use slower kernels",
  "timestamp-query": "deno task profile measures by waiting, which is less exact",
  "shader-f16": "nothing yet: everything is computed in f32",
};

/** The adapter and its features. */
export function examineAdapter(gpu: Gpu): Finding[] {
  const { info } = gpu;
  const kind = info.isFallbackAdapter ? "a CPU driver" : "a graphics card";
  const data = {
    ...{ vendor: info.vendor, architecture: info.architecture, description: info.description },
    ...{ device: info.device, fallback: info.isFallbackAdapter, subgroupSize: gpu.subgroupSize },
  };
  const adapter: Finding = {
    ...{ area: "gpu", name: "adapter", status: "ok", text: `${describeGpu(gpu)}; ${kind}`, data },
  };
  const features = Object.entries(FEATURES).map(([name, lost]): Finding => {
    const there = gpu.has(name as GpuFeature);
    const size = gpu.subgroupSize > 0 ? `, of ${gpu.subgroupSize}` : ", of varying size, so unused";
    const sure = there ? `yes${name === "subgroups" ? size : ""}` : `no: ${lost}`;
    return { area: "gpu", name, status: there ? "ok" : "note", text: sure, data: { there } };
  });
  return [adapter, ...features];
}

/** The adapter's limits, in what the configs need. */
export function examineLimits(gpu: Gpu, needs: readonly StepNeeds[]): Finding[] {
  const { limits } = gpu;
  const most = (of: (needs: StepNeeds) => number) => Math.max(0, ...needs.map(of));
  const count = (value: number) => value.toLocaleString("en-US");
  const rows: [name: string, has: number, needed: number, show: (n: number) => string][] = [
    ["largest binding", limits.maxStorageBufferBindingSize, most((n) => n.binding), formatBytes],
    ["buffers of a kernel", limits.maxStorageBuffersPerShaderStage, most((n) => n.buffers), count],
    [
      "threads of a group",
      limits.maxComputeInvocationsPerWorkgroup,
      most((n) => n.invocations),
      count,
    ],
    [
      "memory of a group",
      limits.maxComputeWorkgroupStorageSize,
      most((n) => n.workgroupMemory),
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
  /** The needs in as few parts as fit. */
  readonly needs: StepNeeds | null;
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
  let fit: Fit, batch: number;
  try {
    const config = await loadConfig(path);
    batch = config.train.batchSize;
    fit = fitConfig(gpu, config, memory);
  } catch (error) {
    if (!(error instanceof UsageError)) throw error;
    const remedy = "mend the config; deno task train --dry-run --config FILE checks it";
    return { finding: { ...found, status: "warn", text: error.message, remedy }, needs: null };
  }
  const { asIs, fitting } = fit;
  const finding = (status: Finding["status"], text: string, remedy?: string): Finding => ({
    ...{ ...found, status, text, data: { asIs, fitting } },
    ...(remedy === undefined ? {} : { remedy }),
  });
  if (fitting && fitting === asIs) return { finding: finding("ok", describe(asIs)), needs: asIs };
  const why = asIs === null
    ? `does not fit at ${batch} images at once: ${reasonIn(fit.refusal)}`
    : `${describe(asIs)}, more than the ${formatBytes(memory)} available`;
  if (!fitting) {
    const remedy = "a smaller network, by --model.channels=N, or an adapter with more memory";
    return { finding: finding("warn", why, remedy), needs: null };
  }
  const { accumulate } = fitting;
  const remedy = `--train.accumulate=${accumulate}: the same batch, ${batch / accumulate} ` +
    `images at once, ${describe(fitting)}`;
  return { finding: finding("warn", why, remedy), needs: fitting };
}

/** A refusal of device/capture.ts for a person, with sizes that can be read. */
function reasonIn(refusal = ""): string {
  const size = /\(([^()]+)\) must have 1 to (\d+) bytes, got (\d+)/.exec(refusal);
  if (size === null) return refusal;
  const [, tensor, most, got] = size;
  return `${tensor} would have ${formatBytes(Number(got))}, and a binding may have ${
    formatBytes(Number(most))
  }`;
}

function describe({ state, activations, binding }: StepNeeds): string {
  return `${formatBytes(state)} of state, ${formatBytes(activations)} of activations, largest ` +
    `tensor ${formatBytes(binding)}`;
}
