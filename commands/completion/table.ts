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
import { dottedFields } from "../../config/description.ts";
import { optionFlag } from "../../support/command_line.ts";
import type { AnyRule, Section } from "../../support/options.ts";
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

/** What the table is made of. */
export interface Completable {
  readonly tasks: readonly Task[];
  readonly commands: ReadonlyMap<string, DeclaredCommand>;
  /** The description of a config. */
  readonly config: Section;
  /** Words by kind. */
  readonly words: Readonly<Record<string, readonly string[]>>;
}

/** The lines of the table. */
export function completionTable({ tasks, commands, config, words }: Completable): string[] {
  const lines = tasks.map(({ name, description }) => line("task", name, description));
  for (const { name } of tasks) {
    const command = commands.get(name);
    // What runs no command of ours, such as the tests, takes files.
    if (command === undefined) lines.push(line("argument", name, "...file"));
    else lines.push(...commandLines(command));
  }
  lines.push(...keyLines(config));
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

/** The lines of every key that takes a value; of one that several networks have, all its words. */
function keyLines(config: Section): string[] {
  const keys = new Map<string, { about: string; words: Set<string> }>();
  for (const { key, field } of dottedFields(config)) {
    if (field.kind !== "option") continue;
    const { about, words } = keys.get(key) ?? { about: field.about, words: [] };
    keys.set(key, { about, words: new Set([...words, ...wordsOf(field.rule)]) });
  }
  return [...keys].flatMap(([key, { about, words }]) => {
    const kinds = /(^|\.)dir$/.test(key) ? "folder" : words.size > 0 ? "value" : "none";
    return [
      line("key", key, kinds, about),
      ...Array.from(words, (word) => line("value", "", `--${key}`, word)),
    ];
  });
}

/** The words that a rule lists; null and "auto" beside numbers are worth one, too. */
function wordsOf(rule: AnyRule): string[] {
  switch (rule.kind) {
    case "flag":
      return ["true", "false"];
    case "choice":
      return rule.values.map(String);
    case "nullable":
      return [...wordsOf(rule.rule), "null"];
    case "either":
      return rule.rules.flatMap(wordsOf);
    default:
      return [];
  }
}

function line(...fields: string[]): string {
  return fields.map((field) => field.replace(/\s+/g, " ")).join("\t");
}
