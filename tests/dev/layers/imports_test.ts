import { join } from "node:path";
import { listSources, readImports } from "../../../dev/layers/imports.ts";
import { assertEquals, assertRejects } from "../../support/assert.ts";
import { inFolder } from "../../support/folder.ts";

/** Writes files by path: text, and calls `body` with their folder. */
async function inProject(files: Record<string, string>, body: (root: string) => Promise<void>) {
  await inFolder(async (root) => {
    for (const [path, text] of Object.entries({ "deno.json": "{}", ...files })) {
      await Deno.mkdir(join(root, path, ".."), { recursive: true });
      await Deno.writeTextFile(join(root, path), text);
    }
    await body(root);
  });
}

Deno.test("readImports() sees every form of an import, and whether it is erased", async () => {
  const forms: readonly [text: string, typeOnly: boolean][] = [
    [`import { b } from "./b.ts"; b;`, false],
    [`import {\n  b,\n  type C as D,\n} from './b.ts';`, false],
    [`import a, * as c from "./b.ts";`, false],
    [`import type { C } from "./b.ts";`, true],
    [`import "./b.ts";`, false],
    [`const m = await import("./b.ts");`, false],
    [`type C = import("./b.ts").C;`, true],
    [`export { b } from "./b.ts";`, false],
    [`export * as all from "./b.ts";`, false],
    [`const r = /["'\`]/; import "./b.ts";`, false],
    ['const s = `${`}` + (await import("./b.ts")).b}`;', false],
  ];
  const entries = forms.map(([text], i) => [`rooms/a${i}.ts`, text] as const);
  await inProject({ ...Object.fromEntries(entries), "rooms/b.ts": "export {};" }, async (root) => {
    const imports = await readImports(root, await listSources(root));
    for (const [i, [text, typeOnly]] of forms.entries()) {
      const from = `rooms/a${i}.ts`;
      const found = imports.filter((found) => found.from === from);
      assertEquals(found, [{ from, to: "rooms/b.ts", specifier: "./b.ts", typeOnly }], text);
    }
  });
});

Deno.test("readImports() does not mistake comments and strings for code", async () => {
  const text = `// import "./b.ts";\n/* import "./b.ts"; */\nexport const s = "import './b.ts'";`;
  await inProject({ "a.ts": text }, async (root) => {
    assertEquals(await readImports(root, ["a.ts"]), []);
  });
});

Deno.test("readImports() says which file is not there", async () => {
  await inProject({ "a.ts": `import "./gone.ts";` }, async (root) => {
    await assertRejects(() => readImports(root, ["a.ts"]), Error, "gone.ts");
  });
});

Deno.test("listSources() leaves tests, benchmarks, runs and data sets out", async () => {
  const files = [
    "a.ts",
    "b/c.js",
    "tests/x.ts",
    "bench/x.ts",
    "runs/x.ts",
    "datasets/x.ts",
    ".x/x.ts",
  ];
  await inProject(Object.fromEntries(files.map((path) => [path, ""])), async (root) => {
    assertEquals(await listSources(root), ["a.ts", "b/c.js"]);
  });
});
