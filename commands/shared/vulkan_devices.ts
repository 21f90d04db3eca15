/**
 * The devices that the Vulkan loader lists with their drivers' versions, which WebGPU does not tell.
 * Loading a driver can end the process, as opening the GPU can.
 *
 * The layouts are those of vulkan_core.h on 64-bit machines (VkInstanceCreateInfo,
 * VkApplicationInfo, VkPhysicalDeviceProperties2, VkPhysicalDeviceDriverProperties,
 * VkPhysicalDevicePCIBusInfoPropertiesEXT).
 *
 * @module
 */

/** A device of the loader. */
export interface VulkanDevice {
  readonly name: string;
  readonly kind: string;
  /** As in "Mesa 25.0.7 (LLVM 15.0.7)". */
  readonly driver: string;
  readonly apiVersion: string;
  /** Numbers of the maker and of the model. */
  readonly vendor: number;
  readonly model: number;
  /** Where it is plugged in, as in "0000_01_00_0"; null where the driver does not tell. */
  readonly pci: string | null;
}

/** The Vulkan loader. */
export const LOADER = "libvulkan.so.1";
const KINDS = ["other", "integrated GPU", "discrete GPU", "virtual GPU", "CPU"];
const MOST_DEVICES = 16;
const VERSION_1_1 = (1 << 22) | (1 << 12);
const STRUCTURE = {
  applicationInfo: 0,
  instanceCreateInfo: 1,
  properties2: 1000059001,
  driverProperties: 1000196000,
  pciBusInfo: 1000212000,
} as const;

const SYMBOLS = {
  vkCreateInstance: { parameters: ["buffer", "pointer", "buffer"], result: "i32" },
  vkEnumeratePhysicalDevices: { parameters: ["u64", "buffer", "buffer"], result: "i32" },
  vkGetPhysicalDeviceProperties2: { parameters: ["u64", "buffer"], result: "void" },
  vkDestroyInstance: { parameters: ["u64", "pointer"], result: "void" },
} as const;

/**
 * Asks the loader.
 *
 * @throws {Error} When there is no loader, or it has no driver.
 */
export function listVulkanDevices(): VulkanDevice[] {
  let library: Deno.DynamicLibrary<typeof SYMBOLS>;
  try {
    library = Deno.dlopen(LOADER, SYMBOLS);
  } catch (cause) {
    throw new Error(`${LOADER} (the Vulkan loader) cannot be loaded`, { cause });
  }
  const vulkan = library.symbols;
  const instance = new BigUint64Array(1);
  const info = instanceInfo();
  const result = vulkan.vkCreateInstance(info.bytes, null, instance);
  if (result !== 0) {
    throw new Error(`${LOADER} loads, but makes no instance (VkResult ${result}): no driver`);
  }
  const count = new Uint32Array([MOST_DEVICES]);
  const handles = new BigUint64Array(MOST_DEVICES);
  vulkan.vkEnumeratePhysicalDevices(instance[0]!, count, handles);
  const devices = Array.from(handles.subarray(0, count[0]), (handle) => {
    const { properties, driver, pci } = propertyBlocks();
    vulkan.vkGetPhysicalDeviceProperties2(handle, properties);
    return { ...describe(properties, driver), pci: placeOf(pci) };
  });
  vulkan.vkDestroyInstance(instance[0]!, null);
  return devices;
}

function addressOf(bytes: Uint8Array<ArrayBuffer>): bigint {
  return Deno.UnsafePointer.value(Deno.UnsafePointer.of(bytes));
}

/** A create info that asks for Vulkan 1.1, and what it points to. */
function instanceInfo() {
  const application = new Uint8Array(48);
  new DataView(application.buffer).setUint32(0, STRUCTURE.applicationInfo, true);
  new DataView(application.buffer).setUint32(44, VERSION_1_1, true);
  const bytes = new Uint8Array(64);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, STRUCTURE.instanceCreateInfo, true);
  view.setBigUint64(24, addressOf(application), true);
  return { bytes, application };
}

/** Room for a device's properties, chained to room for its driver's and for its place. */
function propertyBlocks() {
  const pci = new Uint8Array(16 + 4 * 4).fill(0xff, 16);
  new DataView(pci.buffer).setUint32(0, STRUCTURE.pciBusInfo, true);
  const driver = new Uint8Array(16 + 4 + 256 + 256 + 4);
  new DataView(driver.buffer).setUint32(0, STRUCTURE.driverProperties, true);
  new DataView(driver.buffer).setBigUint64(8, addressOf(pci), true);
  const properties = new Uint8Array(16 + 824);
  const view = new DataView(properties.buffer);
  view.setUint32(0, STRUCTURE.properties2, true);
  view.setBigUint64(8, addressOf(driver), true);
  return { properties, driver, pci };
}

/** Domain, bus, device and function; a driver that does not know them leaves what was there. */
function placeOf(block: Uint8Array<ArrayBuffer>): string | null {
  const [domain, bus, device, part] = new Uint32Array(block.buffer, 16);
  if (domain === 0xffffffff) return null;
  const hex = (value = 0, digits = 2) => value.toString(16).padStart(digits, "0");
  return [hex(domain, 4), hex(bus), hex(device), hex(part, 1)].join("_");
}

function describe(properties: Uint8Array<ArrayBuffer>, driver: Uint8Array<ArrayBuffer>) {
  const view = new DataView(properties.buffer, 16);
  const api = view.getUint32(0, true);
  return {
    name: textAt(properties, 16 + 20),
    vendor: view.getUint32(8, true),
    model: view.getUint32(12, true),
    kind: KINDS[view.getUint32(16, true)] ?? "unknown kind",
    driver: [textAt(driver, 20), textAt(driver, 20 + 256)].filter(Boolean).join(" ") ||
      "driver of unknown version",
    apiVersion: `${(api >>> 22) & 0x7f}.${(api >>> 12) & 0x3ff}.${api & 0xfff}`,
  };
}

/** The zero-terminated text of at most 256 bytes. */
function textAt(bytes: Uint8Array, start: number): string {
  const field = bytes.subarray(start, start + 256);
  const end = field.indexOf(0);
  return new TextDecoder().decode(end < 0 ? field : field.subarray(0, end));
}
