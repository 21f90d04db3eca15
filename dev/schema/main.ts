/**
 * Writes config/schema.json, the JSON Schema of config files for editors:
 * `deno task schema`.
 *
 * @module
 */
import { configJsonSchema } from "../../config/schema.ts";
import { defineCommand, runCommand } from "../../support/command_line.ts";

const command = defineCommand({
  name: "schema",
  summary: "Write config/schema.json, with which editors complete and check configs.",
  options: {},
  examples: [{ args: "", does: "writes it anew, after a change of the config's keys" }],
});

/** The text of config/schema.json. */
export function schemaText(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
}

if (import.meta.main) {
  await runCommand(command, async () => {
    await Deno.writeTextFile(new URL("../../config/schema.json", import.meta.url), schemaText());
    console.log("Wrote config/schema.json");
  });
}
