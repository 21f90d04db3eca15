/**
 * The code in CONTRIBUTING.md, put in its place in a copy of the repository: it must fit, be
 * formatted, keep to the rooms, type-check and pass its own tests.
 */
import { dirname, join } from "node:path";
import { assert, assertEquals } from "./support/assert.ts";
import { inFolder } from "./support/folder.ts";
import { ROOT } from "./support/runs.ts";

/** One code block: a whole new file, or a change of one. */
interface Block {
  readonly path: string;
  readonly kind: "file" | "change";
  readonly text: string;
}

/** Blocks below "New file `path`:" and "In `path`:". */
function blocksOf(markdown: string): Block[] {
  const blocks: Block[] = [];
  const pattern = /^(New file|In) `([^`]+)`:$|^```(ts|diff)\n([^]*?)^```$/gm;
  let path = "", kind: Block["kind"] = "file";
  for (const [, head, name, language, text = ""] of markdown.matchAll(pattern)) {
    if (head !== undefined) {
      [path, kind] = [name!, head === "In" ? "change" : "file"];
    } else {
      assertEquals(language, kind === "file" ? "ts" : "diff", `the language of a block of ${path}`);
      blocks.push({ path, kind, text });
    }
  }
  return blocks;
}

/** A text with a change made: context and lines with "-" must be there, once. */
function changed(original: string, { path, text }: Block): string {
  const lines = text.trimEnd().split("\n");
  const side = (dropped: string) =>
    lines.filter((line) => line[0] !== dropped).map((line) => line.slice(1)).join("\n");
  const found = original.split(side("+"));
  assertEquals(found.length, 2, `${path} must hold this once, for CONTRIBUTING.md:\n${side("+")}`);
  return found.join(side("-"));
}

/** Copies what code and its tests are made of; recorded numbers and documents stay behind. */
async function copyTree(from: string, to: string): Promise<void> {
  await Deno.mkdir(to, { recursive: true });
  for await (const { name, isDirectory } of Deno.readDir(from)) {
    if (/^\.|^(golden|runs|datasets|docs|node_modules)$/.test(name)) continue;
    if (isDirectory) await copyTree(join(from, name), join(to, name));
    else if (/\.(ts|json|lock)$/.test(name)) await Deno.copyFile(join(from, name), join(to, name));
  }
}

/** Runs deno in a folder; what it printed is the message when it fails. */
async function deno(cwd: string, ...args: string[]): Promise<void> {
  const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
    args,
    cwd,
    env: { NO_COLOR: "1" },
  }).output();
  const text = [stdout, stderr].map((bytes) => new TextDecoder().decode(bytes)).join("");
  assert(success, `deno ${args.join(" ")}\n${text}`);
}

Deno.test("CONTRIBUTING.md has code that fits, type-checks and passes its own tests", async () => {
  const blocks = blocksOf(await Deno.readTextFile(join(ROOT, "CONTRIBUTING.md")));
  await inFolder(async (folder) => {
    await copyTree(ROOT, folder);
    const touched = new Set<string>();
    for (const block of blocks) {
      const { path, kind, text } = block;
      const place = join(folder, path);
      await Deno.mkdir(dirname(place), { recursive: true });
      if (kind === "file") {
        await Deno.writeTextFile(place, text, { createNew: true });
        touched.add(path);
      } else {
        const now = changed(await Deno.readTextFile(place), block);
        await Deno.writeTextFile(place, now);
        touched.add(path);
      }
    }
    // Each of them is there with its test, or this test would pass on an empty page.
    const tests = [...touched].filter((path) => path.endsWith("_test.ts"));
    assert(blocks.length >= 15 && tests.length >= 6, `${blocks.length} blocks`);
    await deno(folder, "run", "--allow-all", "dev/layers/main.ts");
    await deno(folder, "fmt", "--check", ...touched);
    // That rule looks at the whole package, which `deno task ok` does.
    const apart = "--rules-exclude=no-slow-types";
    await deno(folder, "lint", "--quiet", apart, ...touched);
    // The whole project: a name that is added to a list must be dealt with wherever it is used.
    await deno(folder, "check");
    await deno(folder, "test", "--allow-all", "--no-check", ...tests);
  });
});
