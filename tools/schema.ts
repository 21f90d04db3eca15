/**
 * Writes config/schema.json, the JSON Schema of config files for editors:
 * `deno task schema`.
 *
 * @module
 */
import { configJsonSchema } from "../config/schema.ts";

/** The text of config/schema.json. */
export function schemaText(): string {
  return `${JSON.stringify(configJsonSchema(), null, 2)}\n`;
}

if (import.meta.main) {
  await Deno.writeTextFile(new URL("../config/schema.json", import.meta.url), schemaText());
  console.log("Wrote config/schema.json");
}
