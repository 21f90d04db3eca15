import { examineCpuDriver } from "../../../commands/doctor/vulkan_devices.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";

Deno.test("examineCpuDriver() tells of a newer driver where it is known to be faster", () => {
  const old = { kind: "CPU", driver: "llvmpipe Mesa 22.3.6 (LLVM 15.0.6)" };
  const newer = { ...old, driver: "llvmpipe Mesa 25.0.7-2~bpo12+1 (LLVM 15.0.6)" };
  const [finding] = examineCpuDriver([old], "avx2");
  assertEquals(finding?.status, "note");
  assertStringIncludes(finding?.remedy ?? "", "DIFFRACT_MESA=backports");
  for (const vectors of ["avx512", "avx", "sse"] as const) {
    assertEquals(examineCpuDriver([old], vectors), []);
  }
  assertEquals(examineCpuDriver([newer], "avx2"), []);
  assertEquals(examineCpuDriver([old, { kind: "discrete GPU", driver: "radv" }], "avx2"), []);
  assertEquals(examineCpuDriver([], "avx2"), []);
});
