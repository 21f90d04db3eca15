/**
 * How files of other code become checkpoints, in words to paste into a shell.
 *
 * @module
 */
import { join, parse } from "node:path";

/** The command that makes a checkpoint of a file or folder, beside it. */
export function conversionOf(path: string): string {
  const { dir, name, base, ext } = parse(path);
  const ending = ".safetensors";
  const out = ext === ending ? `${name}-converted` : /^\.\w+$/.test(ext) ? name : base;
  return `deno task convert ${shellWord(path)} ${shellWord(join(dir, `${out}${ending}`))}`;
}

/** A word as a POSIX shell reads it back. */
export function shellWord(text: string): string {
  return /^[\w@%+=:,./~-]+$/.test(text) ? text : `'${text.replaceAll("'", `'\\''`)}'`;
}
