/**
 * What the Vulkan loader lists, as findings.
 *
 * @module
 */
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
  return devices.map((device) => ({
    ...{ area, name: "device", status: "ok" },
    text: `${device.name}, ${device.kind}, ${device.driver}, Vulkan ${device.apiVersion}`,
    data: { ...device },
  }));
}
