import {
  checkAdapter,
  deviceOfRank,
  findDevice,
  steering,
} from "../../../commands/shared/adapter_choice.ts";
import type { VulkanDevice } from "../../../commands/shared/vulkan_devices.ts";
import { UsageError } from "../../../support/errors.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

function device(name: string, kind: string, model: number, pci: string | null): VulkanDevice {
  return { name, kind, driver: "", apiVersion: "1.3.0", vendor: 0x10de, model, pci };
}

const CPU = device("llvmpipe (LLVM 15.0.6, 256 bits)", "CPU", 0, null);
const [FIRST, SECOND] = ["0000_01_00_0", "0000_c1_00_0"].map((pci) =>
  device("NVIDIA H200", "discrete GPU", 0x2335, pci)
) as [VulkanDevice, VulkanDevice];
const DEVICES = [CPU, FIRST, SECOND];

Deno.test("findDevice() takes a number or a part of a name, and lists the devices otherwise", () => {
  assertEquals(findDevice(DEVICES, "2"), SECOND);
  assertEquals(findDevice(DEVICES, "h200"), FIRST);
  assertEquals(findDevice(DEVICES, "LLVM"), CPU);
  for (const wish of ["3", "radeon"]) {
    assertThrows(
      () => findDevice(DEVICES, wish),
      UsageError,
      `Cannot choose adapter ${wish}: it must be the number or a part of the name of one of: ` +
        "0 llvmpipe (LLVM 15.0.6, 256 bits), 1 NVIDIA H200, 2 NVIDIA H200",
    );
  }
});

Deno.test("deviceOfRank() gives each process a card of its own, none where there is one", () => {
  assertEquals([0, 1, 2].map((rank) => deviceOfRank(DEVICES, rank)), [FIRST, SECOND, FIRST]);
  assertEquals(deviceOfRank([CPU, FIRST], 1), null);
  assertEquals(deviceOfRank([CPU], 0), null);
});

Deno.test("steering() names a card by its place, or by its model where that is unknown", () => {
  assertEquals(steering(SECOND), [
    ["DRI_PRIME", "pci-0000_c1_00_0"],
    ["VK_LOADER_DEVICE_SELECT", "0x10de:0x2335"],
  ]);
  assertEquals(steering({ ...SECOND, pci: null })[0], ["DRI_PRIME", "10de:2335"]);
});

Deno.test("checkAdapter() refuses another adapter than the one asked for", () => {
  const info = { description: CPU.name } as GPUAdapterInfo;
  checkAdapter({ options: {}, name: CPU.name }, info);
  assertThrows(
    () => checkAdapter({ options: {}, name: "NVIDIA H200" }, info),
    Error,
    `Cannot open adapter NVIDIA H200: the system gave ${CPU.name}`,
  );
});
