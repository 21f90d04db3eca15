/**
 * Checks the layering: every import goes down the ranks of the rooms and in no circle, a verb keeps
 * to its own folder, and each third-party package is wrapped once. Part of the test command. Words
 * that only some rooms may use are rules of `deno lint` (lint.ts).
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { defineCommand, runCommand } from "../../support/command_line.ts";
import { listSources, readImports } from "./imports.ts";
import { checkImports } from "./rules.ts";

const command = defineCommand({
  name: "layers",
  summary: "Check that imports only go to rooms of lower rank.",
  description: "Prints a sentence per violation, and ends with exit code 1 if there is one.",
  options: {},
  examples: [{ args: "", does: "checks the whole project; part of deno task test" }],
});

if (import.meta.main) {
  await runCommand(command, async () => {
    const root = fileURLToPath(new URL("../..", import.meta.url));
    const files = await listSources(root);
    const violations = checkImports(await readImports(root, files));
    for (const violation of violations) console.error(violation);
    if (violations.length > 0) return 1;
    console.log(`Layers: ok, ${files.length} files`);
  });
}
