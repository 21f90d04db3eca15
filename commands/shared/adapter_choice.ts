/**
 * Which adapter is taken where there are several: `--adapter`, DIFFRACT_ADAPTER, or one for each process
 * of a machine.
 *
 * WebGPU lets nobody choose but by speed and power: a discrete GPU comes before an integrated one, and
 * among equals the first that the Vulkan loader lists. So the loader is told to list the chosen one
 * first, or alone, by the variables of Mesa's layer (DRI_PRIME, which knows places of any maker's cards)
 * and of the loader itself (VK_LOADER_DEVICE_SELECT, which knows models). Both are read when Vulkan is
 * first used.
 *
 * @module
 */
import { UsageError } from "../../support/errors.ts";
import { launchOf } from "../../support/launch.ts";
import { listVulkanDevices, type VulkanDevice } from "./vulkan_devices.ts";

const VARIABLE = "DIFFRACT_ADAPTER";

/** The option of commands that open a GPU. */
export const ADAPTER_OPTION = {
  value: "INDEX|NAME",
  description: "the GPU: its place in doctor's list of devices, from 0, or a part of its name",
  variable: VARIABLE,
} as const;

/** How the chosen adapter is asked for, and what it is called. */
export interface AdapterRequest {
  readonly options: GPURequestAdapterOptions;
  readonly name: string;
}

/**
 * Chooses by DIFFRACT_ADAPTER; of several processes on a machine with several GPUs each takes one
 * of its own. Must come before anything that uses Vulkan.
 *
 * @returns Null where nobody chooses.
 * @throws {UsageError} When no device is meant; it lists those that there are.
 */
export function wishedAdapter(): AdapterRequest | null {
  const wish = Deno.env.get(VARIABLE) || undefined;
  const launch = launchOf(Deno.env);
  if (wish === undefined && (launch?.size ?? 1) === 1) return null;
  if (Deno.build.os !== "linux") {
    if (wish === undefined) return null;
    throw new UsageError(
      `Cannot choose adapter ${wish}: that works on Linux alone, where Vulkan lists adapters; leave ` +
        `--adapter and ${VARIABLE} out`,
    );
  }
  const devices = listVulkanDevices();
  const device = wish === undefined
    ? deviceOfRank(devices, launch!.localRank)
    : findDevice(devices, wish);
  if (!device) return null;
  for (const [name, value] of steering(device)) Deno.env.set(name, value);
  return { options: optionsOf(device), name: device.name };
}

/** A GPU for each process of a machine, in turn; null where there are not several. */
export function deviceOfRank(
  devices: readonly VulkanDevice[],
  localRank: number,
): VulkanDevice | null {
  const cards = devices.filter(({ kind }) => kind !== "CPU");
  return cards.length > 1 ? cards[localRank % cards.length]! : null;
}

/** The device that a number or a part of a name means. */
export function findDevice(devices: readonly VulkanDevice[], wish: string): VulkanDevice {
  const found = /^\d+$/.test(wish)
    ? devices[Number(wish)]
    : devices.find(({ name }) => name.toLowerCase().includes(wish.toLowerCase()));
  if (found) return found;
  const list = devices.map(({ name }, i) => `${i} ${name}`).join(", ") || "none";
  throw new UsageError(
    `Cannot choose adapter ${wish}: it must be the number or a part of the name of one of: ${list}`,
  );
}

/** Variables that bring a device to the front. */
export function steering({ vendor, model, pci }: VulkanDevice): [name: string, value: string][] {
  const hex = (value: number) => value.toString(16).padStart(4, "0");
  const byModel = `${hex(vendor)}:${hex(model)}`;
  return [
    ["DRI_PRIME", pci === null ? byModel : `pci-${pci}`],
    ["VK_LOADER_DEVICE_SELECT", `0x${hex(vendor)}:0x${hex(model)}`],
  ];
}

/** What WebGPU is asked for, so that a device of this kind comes before those of others. */
function optionsOf({ kind }: VulkanDevice): GPURequestAdapterOptions {
  if (kind === "CPU") return { forceFallbackAdapter: true };
  return { powerPreference: kind === "integrated GPU" ? "low-power" : "high-performance" };
}

/**
 * Makes sure that the adapter is the one that was asked for. Equal cards are not told apart.
 *
 * @throws {Error} When it is another.
 */
export function checkAdapter({ name }: AdapterRequest, { description }: GPUAdapterInfo): void {
  if (description === name) return;
  throw new Error(
    `Cannot open adapter ${name}: the system gave ${description}. Name the driver of the wanted one ` +
      "in VK_DRIVER_FILES, or install the package mesa-vulkan-drivers, whose layer lets cards be chosen",
  );
}
