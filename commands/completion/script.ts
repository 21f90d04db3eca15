/**
 * The completion scripts. Each is glue around the shared program of engine.awk: it finds the words
 * after `deno task` (or `./denow task`), and leaves everything else to what completed deno before.
 *
 * A script knows the checkout by the nearest deno.json above the working folder, as deno does, and
 * lists places from there, as that is where tasks run.
 *
 * @module
 */

/** The shells that are known. */
export const SHELLS = ["bash", "zsh", "fish"] as const;

/** A shell that is known. */
export type Shell = typeof SHELLS[number];

/** The script for a shell, with the table of table.ts. */
export async function completionScript(shell: Shell, table: readonly string[]): Promise<string> {
  const engine = await part("engine.awk");
  const head =
    `# Completion of Diffract's tasks for ${shell}, made by: deno task completion ${shell}`;
  const text = table.join("\n");
  const parts = shell === "fish"
    ? [
      `set -g __diffract_table ${fishQuoted(text)}`,
      `set -g __diffract_engine ${fishQuoted(engine)}`,
      await part("fish.fish"),
    ]
    : [
      `_diffract_table=${quoted(text)}`,
      `_diffract_engine=${quoted(engine)}`,
      await part("posix.sh"),
      await part(`${shell}.sh`),
    ];
  return [head, ...parts].join("\n");
}

/** A file of this folder without the comments that it begins with. */
async function part(name: string): Promise<string> {
  const text = await Deno.readTextFile(new URL(`./${name}`, import.meta.url));
  return name === "engine.awk" ? text.replace(/^(#.*\n)+/, "") : text;
}

function quoted(text: string): string {
  return `'${text.replaceAll("'", `'\\''`)}'`;
}

function fishQuoted(text: string): string {
  return `'${text.replaceAll("\\", "\\\\").replaceAll("'", "\\'")}'`;
}
