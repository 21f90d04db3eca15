/**
 * What the Vulkan loader lists, as findings.
 *
 * @module
 */
import { type CpuVectors, cpuVectors } from "../../support/cpu.ts";
import { listVulkanDevices, LOADER, type VulkanDevice } from "../shared/vulkan_devices.ts";
import type { Finding } from "./finding.ts";
import { INSTALL_VULKAN } from "./vulkan.ts";

/** What the loader has to offer. */
export function examineVulkanDevices(): Finding[] {
  const area = "vulkan";
  let devices: VulkanDevice[];
  try {
    devices = listVulkanDevices();
  } catch (error) {
    const text = error instanceof Error ? error.message : String(error);
    return [{ area, name: "loader", status: "fail", text, remedy: INSTALL_VULKAN }];
  }
  if (devices.length === 0) {
    const text = `${LOADER} loads, but lists no device`;
    return [{ area, name: "devices", status: "fail", text, remedy: INSTALL_VULKAN }];
  }
  const listed = devices.map((device): Finding => ({
    ...{ area, name: "device", status: "ok" },
    text: `${device.name}, ${device.kind}, ${device.driver}, Vulkan ${device.apiVersion}`,
    data: { ...device },
  }));
  return [...listed, ...examineCpuDriver(devices)];
}

/**
 * Whether a newer driver would train faster: Mesa 22.3 is the only one here, on a CPU with AVX2 alone.
 *
 * @param devices What Vulkan lists.
 * @param vectors Widest vector instructions of the CPU.
 */
export function examineCpuDriver(
  devices: readonly Pick<VulkanDevice, "kind" | "driver">[],
  vectors: CpuVectors | undefined = cpuVectors(),
): Finding[] {
  const old = devices.length > 0 &&
    devices.every(({ kind, driver }) => kind === "CPU" && /Mesa 22\./.test(driver));
  if (!old || vectors !== "avx2") return [];
  return [{
    ...{ area: "vulkan", name: "newer driver", status: "note" },
    text: "Mesa 25 trains 1.4 times as fast as 22.3 on a CPU with AVX2 and no AVX-512",
    remedy: "on Debian 12, start ./denow with DIFFRACT_MESA=backports",
  }];
}
