import { examineBackend, examineCards, examineManifests } from "../../../commands/doctor/vulkan.ts";
import { assertEquals, assertStringIncludes } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";

/** Looks variables up in an object. */
const env = (values: Record<string, string>) => (name: string) => values[name];

async function writeManifest(folder: string, name: string, content: unknown): Promise<string> {
  await Deno.mkdir(`${folder}/vulkan/icd.d`, { recursive: true });
  const path = `${folder}/vulkan/icd.d/${name}`;
  await Deno.writeTextFile(path, typeof content === "string" ? content : JSON.stringify(content));
  return path;
}

for (const value of ["vulkan", "VULKAN", "gl,vulkan", ""]) {
  Deno.test(`examineBackend() has nothing to say on DENO_WEBGPU_BACKEND=${value}`, () => {
    assertEquals(examineBackend({ env: env({ DENO_WEBGPU_BACKEND: value }) }), []);
  });
}

for (const [value, said] of [["vulcan", 'is "vulcan"'], ["gl", "leaves Vulkan out"]] as const) {
  Deno.test(`examineBackend() refuses DENO_WEBGPU_BACKEND=${value}`, () => {
    const [finding] = examineBackend({ env: env({ DENO_WEBGPU_BACKEND: value }) });
    assertEquals(finding?.status, "fail");
    assertStringIncludes(finding?.text ?? "", said);
  });
}

Deno.test("examineManifests() lists drivers in the folders that it searches", async () => {
  await inFolder(async (folder) => {
    await writeManifest(folder, "lvp_icd.x86_64.json", {
      ICD: { library_path: "libvulkan_lvp.so" },
    });
    const [finding, ...rest] = await examineManifests({ env: env({}), folders: [folder] });
    assertEquals([finding?.status, finding?.text, rest], [
      "ok",
      `lvp in ${folder}/vulkan/icd.d`,
      [],
    ]);
  });
});

Deno.test("examineManifests() says so when there is no driver", async () => {
  await inFolder(async (folder) => {
    const [finding] = await examineManifests({ env: env({}), folders: [folder] });
    assertEquals([finding?.name, finding?.status], ["drivers", "fail"]);
    assertStringIncludes(finding?.remedy ?? "", "./denow");
  });
});

Deno.test("examineManifests() tells damaged manifests and missing libraries by name", async () => {
  await inFolder(async (folder) => {
    const gone = await writeManifest(folder, "a.json", { ICD: { library_path: "/no/such.so" } });
    const torn = await writeManifest(folder, "b.json", "{");
    const empty = await writeManifest(folder, "c.json", {});
    const findings = await examineManifests({ env: env({}), folders: [folder] });
    assertEquals(findings.map(({ status }) => status), ["fail", "fail", "fail"]);
    assertStringIncludes(findings[0]!.text, `${gone} names /no/such.so, which does not exist`);
    assertStringIncludes(findings[1]!.text, `${torn} cannot be read`);
    assertEquals(findings[2]!.text, `${empty} names no library (ICD.library_path)`);
    await writeManifest(folder, "d.json", { ICD: { library_path: "libgood.so" } });
    const withGood = await examineManifests({ env: env({}), folders: [folder] });
    assertEquals(withGood.map(({ status }) => status), ["warn", "warn", "warn", "ok"]);
  });
});

Deno.test("examineManifests() heeds variables in the place of the search", async () => {
  await inFolder(async (folder) => {
    const path = await writeManifest(folder, "x.json", { ICD: { library_path: "libx.so" } });
    const only = env({ VK_ICD_FILENAMES: `${path}:/gone.json`, VK_DRIVER_FILES: "" });
    const findings = await examineManifests({ env: only, folders: [folder] });
    assertEquals(findings.map(({ name, status }) => [name, status]), [
      ["VK_ICD_FILENAMES", "fail"],
      ["drivers", "ok"],
    ]);
    const added = env({ VK_ADD_DRIVER_FILES: "/gone.json" });
    const both = await examineManifests({ env: added, folders: [folder] });
    assertEquals(both.map(({ status }) => status), ["warn", "ok"]);
  });
});

Deno.test("examineCards() wonders where Vulkan has the CPU alone beside a card", async () => {
  await inFolder(async (folder) => {
    assertEquals(await examineCards(["CPU"], folder), []);
    await Deno.mkdir(`${folder}/dri`);
    await Deno.writeTextFile(`${folder}/dri/renderD128`, "");
    assertEquals(await examineCards(["CPU", "discrete GPU"], folder), []);
    const [finding] = await examineCards(["CPU"], folder);
    assertEquals(finding?.status, "warn");
    assertStringIncludes(finding?.remedy ?? "", "render");
    await Deno.writeTextFile(`${folder}/nvidia0`, "");
    const [other] = await examineCards(["CPU"], folder);
    assertStringIncludes(other?.remedy ?? "", "NVIDIA");
  });
});
