/**
 * What can be completed, as lines of fields separated by tabs: the data of the completion scripts.
 *
 *     task      NAME  DESCRIPTION
 *     option    TASK  --FLAG  KINDS  DESCRIPTION     KINDS is empty for a switch
 *     value     TASK  --FLAG  WORD
 *     argument  TASK  KINDS                          in order; "..." ahead of KINDS repeats
 *     overrides TASK
 *     key       DOTTED.KEY  KINDS  DESCRIPTION
 *     word      KIND  WORD
 *
 * KINDS are separated by commas: value (the lines "value"), file, folder, run, config, words of that
 * name (dataset), or none, for what cannot be guessed.
 *
 * @module
 */
import { optionFlag } from "../../support/command_line.ts";
import type { DeclaredCommand, Task } from "./declarations.ts";

/** What the name of a value in the help says about it. */
const KINDS: Readonly<Record<string, string>> = {
  FILE: "file",
  NPZ: "file",
  IN: "run,file",
  OUT: "file",
  DIR: "folder",
  FOLDER: "folder",
  RUN: "run",
  DATASET: "dataset",
};

/** The parts of a JSON Schema that are read here. */
export interface SchemaNode {
  readonly description?: string;
  readonly type?: string;
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly SchemaNode[];
  readonly properties?: Readonly<Record<string, SchemaNode>>;
}

/** What the table is made of. */
export interface Completable {
  readonly tasks: readonly Task[];
  readonly commands: ReadonlyMap<string, DeclaredCommand>;
  /** The JSON Schema of a config. */
  readonly schema: SchemaNode;
  /** Words by kind. */
  readonly words: Readonly<Record<string, readonly string[]>>;
}

/** The lines of the table. */
export function completionTable({ tasks, commands, schema, words }: Completable): string[] {
  const lines = tasks.map(({ name, description }) => line("task", name, description));
  for (const { name } of tasks) {
    const command = commands.get(name);
    // What runs no command of ours, such as the tests, takes files.
    if (command === undefined) lines.push(line("argument", name, "...file"));
    else lines.push(...commandLines(command));
  }
  lines.push(...keyLines(schema, ""));
  for (const [kind, list] of Object.entries(words)) {
    lines.push(...list.map((word) => line("word", kind, word)));
  }
  return lines;
}

function commandLines({ name, options, arguments: several, argument, overrides }: DeclaredCommand) {
  const lines: string[] = [];
  for (const [key, option] of Object.entries(options)) {
    const flag = optionFlag(key);
    const listed = option.choices ?? option.suggestions;
    const kinds = option.value === undefined
      ? ""
      : listed
      ? "value"
      : key === "config"
      ? "config,file"
      : kindsOf(option.value);
    lines.push(line("option", name, flag, kinds, option.description));
    for (const word of listed ?? []) lines.push(line("value", name, flag, word));
  }
  lines.push(line("option", name, "--help", "", "show the help"));
  for (const { name: placeholder, suggestions } of several ?? (argument ? [argument] : [])) {
    const repeats = placeholder.endsWith("...");
    const kinds = suggestions ? "value" : kindsOf(placeholder.replace(/\.\.\.$/, ""));
    lines.push(line("argument", name, (repeats ? "..." : "") + kinds));
    for (const word of suggestions ?? []) lines.push(line("value", name, "", word));
  }
  if (overrides !== undefined) lines.push(line("overrides", name));
  return lines;
}

/** "RUN_OR_FILE" is "run,file"; "none" where the name says nothing. */
function kindsOf(placeholder: string): string {
  const kinds = placeholder.split("_OR_").flatMap((word) => KINDS[word] ?? []);
  if (`${kinds}` === "run") kinds.push("folder");
  return kinds.join(",") || "none";
}

function keyLines(node: SchemaNode, prefix: string): string[] {
  const lines: string[] = [];
  for (const [name, child] of Object.entries(node.properties ?? {})) {
    if (name.startsWith("$")) continue;
    const key = prefix + name;
    if (child.properties) {
      lines.push(...keyLines(child, `${key}.`));
      continue;
    }
    const values = valuesOf(child);
    const kinds = name === "dir" ? "folder" : values.length > 0 ? "value" : "none";
    lines.push(line("key", key, kinds, child.description ?? ""));
    lines.push(...values.map((value) => line("value", "", `--${key}`, value)));
  }
  return lines;
}

/** The words that a schema lists. */
function valuesOf(node: SchemaNode): string[] {
  if (node.anyOf) {
    const parts = node.anyOf.map(valuesOf);
    // null and "auto" beside numbers are worth a word, too.
    return parts.flat();
  }
  if (node.enum) return node.enum.map(String);
  if (node.const !== undefined) return [String(node.const)];
  if (node.type === "boolean") return ["true", "false"];
  return node.type === "null" ? ["null"] : [];
}

function line(...fields: string[]): string {
  return fields.map((field) => field.replace(/\s+/g, " ")).join("\t");
}
