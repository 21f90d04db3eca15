/**
 * Writes the notebooks of examples/ from their TypeScript, and runs them: `deno task notebooks`.
 *
 * @module
 */
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { defineCommand, runCommand } from "../../support/command_line.ts";
import { UsageError } from "../../support/errors.ts";
import { atomicWrite } from "../../support/files.ts";
import { cellsOf, type Notebook, notebookText } from "./cells.ts";
import { hasJupyter, runNotebook } from "./jupyter.ts";

/** Where notebooks are. */
export const EXAMPLES = fileURLToPath(new URL("../../examples/", import.meta.url));

const command = defineCommand({
  name: "notebooks",
  summary: "Write the notebooks of examples/ from their TypeScript.",
  description: "Cells keep their outputs as long as no code has changed.",
  options: { run: { description: "run them by jupyter nbconvert, and keep what they show" } },
  examples: [
    { args: "", does: "writes examples/*.ipynb" },
    { args: "--run", does: "runs them too, which takes minutes" },
  ],
});

/** Names of the notebooks, without extensions. */
export async function notebookNames(): Promise<string[]> {
  const entries = await Array.fromAsync(Deno.readDir(EXAMPLES), ({ name }) => name);
  return entries.filter((name) => name.endsWith(".ts")).map((name) => name.slice(0, -3)).sort();
}

async function readNotebook(path: string): Promise<Notebook | undefined> {
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return undefined;
    throw error;
  }
}

if (import.meta.main) {
  await runCommand(command, async ({ options }) => {
    if (options.run && !await hasJupyter()) {
      throw new UsageError(
        "Cannot run notebooks: jupyter nbconvert must be on PATH; on Debian, apt-get install " +
          "jupyter-nbconvert",
      );
    }
    for (const name of await notebookNames()) {
      const path = join(EXAMPLES, `${name}.ipynb`);
      const cells = cellsOf(await Deno.readTextFile(join(EXAMPLES, `${name}.ts`)));
      await atomicWrite(path, notebookText(cells, await readNotebook(path)));
      if (options.run) {
        await runNotebook(path);
        await atomicWrite(path, notebookText(cells, await readNotebook(path)));
      }
      console.log(`Wrote examples/${name}.ipynb`);
    }
  });
}
