/**
 * The notebooks of examples/: `deno check` sees their cells as the TypeScript that they are written
 * from; here they are compared with it, and run with tiny sizes, in this process and by Jupyter.
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";
import { type Cell, cellsOf, notebookText, textOf } from "../../../dev/notebooks/cells.ts";
import { hasJupyter, runNotebook } from "../../../dev/notebooks/jupyter.ts";
import { EXAMPLES, notebookNames } from "../../../dev/notebooks/main.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { inFolderWithCache, ROOT } from "../../support/runs.ts";

const readCells = async (name: string) =>
  cellsOf(await Deno.readTextFile(join(EXAMPLES, `${name}.ts`)));

/** Sizes that take a second, and data that need no files. */
function tiny(folder: string): string {
  const shapes = (channels: number) =>
    `{ name: "synthetic", holdout: 8, flip: false, ` +
    `synthetic: { kind: "shapes", channels: ${channels}, count: 48 } }`;
  return `
const sizes = {
  side: 8, channels: 4, channelMultipliers: [1, 2], batchSize: 4, steps: 2, tuningSteps: 1,
  classifierSteps: 1, images: 2, samplerSteps: 3, judged: 8,
};
const grey: DataSettings = ${shapes(1)};
const colour: DataSettings = ${shapes(3)};
const chosenClass = "ring";
const folder = ${JSON.stringify(folder)};`;
}

const replaced = (cells: readonly Cell[], folder: string) => {
  const tagged = cells.filter(({ tags }) => tags.includes("parameters"));
  assertEquals(tagged.length, 1, "a notebook must have one cell of parameters");
  return cells.map((cell) => cell === tagged[0] ? { ...cell, text: tiny(folder) } : cell);
};

Deno.test("notebookText() keeps what cells gave until code changes", () => {
  const source =
    "// for readers\n// %% [markdown]\n// # One\n//\n// two\n\n// %% parameters\nconst a = 1;";
  const cells = cellsOf(source);
  assertEquals(cells, [
    { kind: "markdown", tags: [], text: "# One\n\ntwo" },
    { kind: "code", tags: ["parameters"], text: "const a = 1;" },
  ]);
  const before = JSON.parse(notebookText(cells));
  const output = { output_type: "stream", name: "stdout", text: ["\x1b[33m1\x1b[39m\n"] };
  before.cells[1].outputs = [output];
  const after = JSON.parse(notebookText(cellsOf(source.replace("two", "three")), before));
  assertEquals(after.cells.map(textOf), ["# One\n\nthree", "const a = 1;"]);
  assertEquals(after.cells[1].outputs, [{ ...output, text: ["1\n"] }]);
  assertEquals(after.cells[1].metadata, { tags: ["parameters"] });
  const changed = JSON.parse(notebookText(cellsOf(source.replace("1", "2")), before));
  assertEquals(changed.cells[1].outputs, []);
});

for (const name of await notebookNames()) {
  Deno.test(`examples/${name}.ipynb has the cells of its TypeScript, and pictures`, async () => {
    const notebook = JSON.parse(await Deno.readTextFile(join(EXAMPLES, `${name}.ipynb`)));
    const cells = await readCells(name);
    assertEquals(notebook.cells.map(textOf), cells.map(({ text }) => text), "deno task notebooks");
    assert(cells.filter(({ kind }) => kind === "code").length >= 5);
    assert(picturesOf(notebook) >= 5, "deno task notebooks --run");
  });

  Deno.test(`examples/${name}.ipynb runs cell after cell with tiny sizes`, () =>
    inFolderWithCache(async (folder) => {
      const cells = replaced(await readCells(name), folder);
      const code = cells.filter(({ kind }) => kind === "code").map(({ text }) => text).join("\n");
      const lab = pathToFileURL(join(ROOT, "lab.ts")).href;
      const module = join(folder, `${name}.ts`);
      await Deno.writeTextFile(
        module,
        `${
          code.replace('"@diffract/diffract/lab"', JSON.stringify(lab))
        }\nexport { scores, tuned };`,
      );
      const { scores, tuned } = await import(pathToFileURL(module).href);
      assertEquals(scores.map(Object.keys), [
        ["frechetDistance", "inceptionScore"],
        ["frechetDistance", "inceptionScore"],
      ]);
      assert(scores.flatMap(Object.values<number>).every(Number.isFinite));
      assertEquals([tuned.step, tuned.config.data.synthetic.channels], [1, 3]);
    }));

  Deno.test({
    name: `examples/${name}.ipynb runs in Jupyter with tiny sizes, and shows pictures`,
    ignore: !await hasJupyter(),
    fn: () =>
      inFolderWithCache(async (folder) => {
        const path = join(folder, `${name}.ipynb`);
        await Deno.writeTextFile(path, notebookText(replaced(await readCells(name), folder)));
        // As in a folder of one's own.
        const config = {
          imports: { "@diffract/diffract": "jsr:@diffract/diffract@^0.1.0" },
          links: [ROOT],
        };
        await Deno.writeTextFile(join(folder, "deno.json"), JSON.stringify(config));
        await runNotebook(path);
        const notebook = JSON.parse(await Deno.readTextFile(path));
        assert(picturesOf(notebook) >= 5, `${picturesOf(notebook)} pictures`);
      }),
  });
}

/** Cells that show a PNG. */
function picturesOf({ cells }: { cells: { outputs?: { data?: Record<string, unknown> }[] }[] }) {
  return cells.filter(({ outputs = [] }) => outputs.some(({ data }) => data?.["image/png"])).length;
}
