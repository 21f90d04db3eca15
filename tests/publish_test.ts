/** What `deno publish` would ship. */
import { assert, assertEquals, assertStringIncludes } from "./support/assert.ts";
import { ROOT } from "./support/runs.ts";

/** Paths of the package's files, without publishing anything. */
async function packageFiles(): Promise<string[]> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["publish", "--dry-run", "--allow-dirty", "--allow-slow-types", "--no-check"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  assert(success, text);
  const root = new URL("..", import.meta.url).href;
  return Array.from(text.matchAll(/^ +(file:.+) \(.+\)$/gm), ([, url]) => url!.replace(root, ""));
}

Deno.test("deno publish ships the library and what its users read, and nothing else", async () => {
  const files = await packageFiles();
  const outside = files.filter((path) => !/\.(ts|json)$/.test(path));
  assertEquals(outside.sort(), ["CHANGELOG.md", "LICENSE", "README.md"]);
  const folders = new Set(
    files.filter((path) => path.includes("/")).map((path) => path.split("/")[0]),
  );
  for (const name of ["tests", "dev", "docs", "bench"]) assert(!folders.has(name), name);
  const commands = files.filter((path) => /^commands\/(?!shared\/)/.test(path));
  assertEquals(commands, []);
  for (const face of ["mod.ts", "lab.ts"]) assert(files.includes(face), face);
  assertStringIncludes(files.join(), "kernels/matmul/");
});

Deno.test("deno doc finds everything in the library's faces documented, and all types that they name", async () => {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args: ["doc", "--lint", "mod.ts", "lab.ts"],
    cwd: ROOT,
    env: { NO_COLOR: "1" },
  }).output();
  assert(success, [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join(""));
});
