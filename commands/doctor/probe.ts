/**
 * The part of the examination that a driver can end: run by {@linkcode runProbe} as a process of its
 * own, it prints what it finds, a JSON line each, and the name of each stage before it begins.
 *
 *     probe.ts vulkan | gpu CONFIG...
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { loadConfig } from "../../config/load.ts";
import { availableMemory, openScriptGpu } from "../shared/gpu.ts";
import { examineAdapter, examineConfig, examineLimits } from "./adapter.ts";
import type { Finding } from "./finding.ts";
import type { ProbeLine } from "./run_probe.ts";
import { examineVulkanDevices } from "./vulkan_devices.ts";
import { examineNumbers, examineSpeed, examineTraining } from "./work.ts";

const ROOT = fileURLToPath(new URL("../../", import.meta.url));

function print(line: ProbeLine): void {
  console.log(JSON.stringify(line));
}

function tell(findings: readonly Finding[]): void {
  for (const finding of findings) print({ finding });
}

async function probeGpu(configs: readonly string[]): Promise<void> {
  print({ stage: "opening the adapter" });
  const gpu = await openScriptGpu();
  tell(examineAdapter(gpu));
  print({ stage: "reading the configs" });
  const memory = availableMemory(gpu);
  const examined = [];
  for (const path of configs) examined.push(await examineConfig(gpu, path, memory));
  tell(examineLimits(gpu, examined.flatMap(({ plan }) => plan ?? [])));
  tell(examined.map(({ finding }) => finding));
  print({ stage: "checking numbers" });
  tell(await examineNumbers(gpu));
  print({ stage: "training a tiny network" });
  tell([await examineTraining(gpu, await loadConfig(join(ROOT, "config/smoke.json")))]);
  print({ stage: "timing the quickstart" });
  const quickstart = await loadConfig(join(ROOT, "config/quickstart.json"), [
    ["data.name", "synthetic"],
    ["data.synthetic.channels", "1"],
  ]);
  tell([await examineSpeed(gpu, quickstart, "the quickstart")]);
  gpu.destroy();
}

if (import.meta.main) {
  const [part, ...configs] = Deno.args;
  if (part === "vulkan") {
    print({ stage: "asking Vulkan's loader" });
    tell(examineVulkanDevices());
  } else {
    try {
      await probeGpu(configs);
    } catch (error) {
      console.error(error instanceof Error ? error.message : error);
      Deno.exit(1);
    }
  }
}
