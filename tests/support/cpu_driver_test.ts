import { join } from "node:path";
import { cpuVectors } from "../../support/cpu.ts";
import { widenCpuDriver } from "../../support/cpu_driver.ts";
import { assertEquals } from "./assert.ts";

const NAMES = [
  "LP_NATIVE_VECTOR_WIDTH",
  "GALLIUM_OVERRIDE_CPU_CAPS",
  "VK_DRIVER_FILES",
  "VK_ICD_FILENAMES",
] as const;

/** What the driver is told where the environment and the CPU driver's manifests are these. */
async function widened(
  versions: readonly string[],
  env: Partial<Record<typeof NAMES[number], string>> = {},
): Promise<string | undefined> {
  const before = NAMES.map((name) => [name, Deno.env.get(name)] as const);
  const folder = await Deno.makeTempDir();
  try {
    for (const name of NAMES) Deno.env.delete(name);
    const paths = versions.map((version, i) => {
      const path = join(folder, `lvp_icd.${i}.json`);
      const text = JSON.stringify({ ICD: { api_version: version, library_path: "lvp.so" } });
      Deno.writeTextFileSync(path, text);
      return path;
    });
    Deno.env.set("VK_DRIVER_FILES", [...paths, join(folder, "radeon_icd.json")].join(":"));
    for (const [name, value] of Object.entries(env)) Deno.env.set(name, value);
    widenCpuDriver();
    return Deno.env.get("LP_NATIVE_VECTOR_WIDTH");
  } finally {
    for (const [name, value] of before) {
      if (value === undefined) Deno.env.delete(name);
      else Deno.env.set(name, value);
    }
    await Deno.remove(folder, { recursive: true });
  }
}

Deno.test("widenCpuDriver() widens Mesa 22.3 on a CPU with AVX-512, and no other", async () => {
  const wide = Deno.build.os === "linux" && cpuVectors() === "avx512" ? "512" : undefined;
  assertEquals(await widened(["1.1.230"]), wide);
  assertEquals(await widened(["1.1.230", "1.3.230"]), wide);
  assertEquals(await widened(["1.4.305"]), undefined);
  assertEquals(await widened(["1.1.230", "1.4.305"]), undefined);
  assertEquals(await widened([]), undefined);
});

Deno.test("widenCpuDriver() leaves what the environment says", async () => {
  assertEquals(await widened(["1.1.230"], { LP_NATIVE_VECTOR_WIDTH: "128" }), "128");
  assertEquals(await widened(["1.1.230"], { GALLIUM_OVERRIDE_CPU_CAPS: "avx" }), undefined);
});
