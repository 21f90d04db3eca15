import { dawnFolder, loadDawn } from "../../support/dawn.ts";
import { assertEquals, assertStringIncludes } from "./assert.ts";
import { join } from "node:path";

Deno.test("dawnFolder() is in the cache folder of denow unless DIFFRACT_DAWN names one", () => {
  const folderFor = (values: Record<string, string>) =>
    dawnFolder(new Map(Object.entries(values))).replaceAll("\\", "/");
  const end = "/webgpu-0.6.2/node_modules/webgpu";
  assertEquals(folderFor({ HOME: "/home/me" }), `/home/me/.cache/diffract${end}`);
  assertEquals(folderFor({ HOME: "/h", XDG_CACHE_HOME: "/x" }), `/x/diffract${end}`);
  assertEquals(folderFor({ HOME: "/h", DIFFRACT_CACHE: "/c" }), `/c${end}`);
  assertEquals(folderFor({ DIFFRACT_DAWN: "/d" }), "/d");
});

Deno.test("loadDawn() gives what the package makes, and says how to install one that is absent", () => {
  const folder = Deno.makeTempDirSync();
  try {
    const path = join(folder, "package");
    let message = "";
    try {
      loadDawn(path);
    } catch (error) {
      message = (error as Error).message;
    }
    assertStringIncludes(message, `Cannot load Dawn from ${path}`);
    assertStringIncludes(message, "npm install --prefix");
    Deno.mkdirSync(path);
    Deno.writeTextFileSync(join(path, "package.json"), `{"type": "module", "main": "index.js"}`);
    Deno.writeTextFileSync(
      join(path, "index.js"),
      `export const globals = { flags: 7 }; export const create = (options) => ({ options });`,
    );
    const toggles = "enable-dawn-features=allow_unsafe_apis";
    assertEquals<unknown>(loadDawn(path), {
      gpu: { options: [toggles] },
      constants: { flags: 7 },
    });
    assertEquals<unknown>(loadDawn(path, { adapter: "A", backend: "null" }).gpu, {
      options: [toggles, "adapter=A", "backend=null"],
    });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
});
