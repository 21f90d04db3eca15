/**
 * Commands declared as data. This file alone knows commander: another command-line library needs
 * one more reader of {@linkcode CommandSpec}.
 *
 * @module
 */
import { Command, CommanderError, Option } from "commander";
import { relative } from "node:path";
import { exitCodeOf, runMain, UsageError } from "./errors.ts";
import { expandHome } from "./home.ts";
import { launchOf } from "./launch.ts";
import { keepHangupIgnored } from "./signals.ts";

/** One option. Without `value` it is a switch: false unless given. */
export interface OptionSpec {
  description: string;
  /** What the value is called in the help, e.g. "N"; its presence says that there is one. */
  value?: string;
  /** Of an option without a value: the override that one given to it was meant for, as "run.dir". */
  valueBelongsTo?: string;
  /** One letter, without the hyphen. */
  short?: string;
  /** Reads the value, never an empty one; what it throws follows the flag: "must be ..., got ...". */
  parse?: (text: string) => unknown;
  choices?: readonly string[];
  /** Words that completion offers beside what else is accepted. */
  suggestions?: readonly string[];
  /** The value when the option is absent. */
  default?: unknown;
  required?: boolean;
  /** A variable of the environment that the value is put in, for whoever reads it there. */
  variable?: string;
}

/** One argument without a name, as every one is: optional. */
export interface ArgumentSpec {
  /** What it is called in the help, as in "DIR"; "RUN..." may be given more than once. */
  name: string;
  description: string;
  /** Words that completion offers; what is accepted is the command's business. */
  suggestions?: readonly string[];
}

/** Options by property name: `outFile` is written `--out-file`. */
export type OptionSpecs = Readonly<Record<string, OptionSpec>>;

/** One command. */
export interface CommandSpec<O extends OptionSpecs = OptionSpecs> {
  /** The task's name: `deno task <name>`. */
  name: string;
  /** One sentence. */
  summary: string;
  /** More, shown by `--help` after the summary. */
  description?: string;
  options: O;
  /** One optional argument without a name. */
  argument?: ArgumentSpec;
  /** Instead of `argument`: several of them in order, each optional. */
  arguments?: readonly ArgumentSpec[];
  /** When present, `--dotted.path=value` is accepted and handed on; the text is for the help. */
  overrides?: string;
  /** What follows `deno task <name> `, and what that does. */
  examples: readonly { args: string; does: string }[];
}

type Parsed<S extends OptionSpec> = S extends { parse: (text: string) => infer T } ? T
  : S extends { choices: readonly (infer C)[] } ? C
  : string;
type Absent<S extends OptionSpec> = S extends { default: infer D } ? D
  : S extends { required: true } ? never
  : undefined;
type Widened<T> = T extends number ? number : T extends bigint ? bigint : T;

/** The values of options, by property name. */
export type OptionValues<O extends OptionSpecs> = {
  [K in keyof O]: O[K] extends { value: string } ? Parsed<O[K]> | Widened<Absent<O[K]>> : boolean;
};

/** What a command line asks for. */
export interface Invocation<O extends OptionSpecs> {
  kind: "run";
  options: OptionValues<O>;
  argument: string | undefined;
  /** All arguments without a name, in order. */
  arguments: readonly string[];
  /** Dotted paths and the text after "=", in the order given. */
  overrides: [path: string, value: string][];
}

/** `--help` was given; `text` is to be printed. */
export interface HelpRequest {
  kind: "help";
  text: string;
}

const declared: CommandSpec[] = [];

/** Keeps the literal types of a command's declaration, and notes that there is such a command. */
export function defineCommand<const O extends OptionSpecs>(spec: CommandSpec<O>): CommandSpec<O> {
  declared.push(spec);
  return spec;
}

/** Every command that the modules loaded so far declare, in the order of loading. */
export function declaredCommands(): readonly CommandSpec[] {
  return declared;
}

/** How an option is written: `outFile` is `--out-file`. */
export function optionFlag(name: string): string {
  return `--${name.replace(/[A-Z]/g, (letter) => `-${letter.toLowerCase()}`)}`;
}

/**
 * Reads a command line.
 *
 * @throws UsageError, one line, with the nearest known option where one is near.
 */
export function parseCommand<const O extends OptionSpecs>(
  spec: CommandSpec<O>,
  args: readonly string[],
): Invocation<O> | HelpRequest {
  // Of all that is given, only paths begin so.
  const given = args.map((arg) => arg.replace(/^(--[\w.-]+=)?(~.*)$/s, withHome));
  const { rest, overrides } = spec.overrides === undefined
    ? { rest: given, overrides: [] }
    : takeOverrides(given);
  let help = "";
  const command = toCommander(spec, (text) => help += text);
  try {
    command.parse(rest, { from: "user" });
  } catch (error) {
    if (!(error instanceof CommanderError)) throw error;
    if (error.code === "commander.helpDisplayed") return { kind: "help", text: help.trimEnd() };
    throw refusal(spec, reasonOf(spec, error, command.args));
  }
  if (command.args.includes("")) throw refusal(spec, 'an argument must not be empty, got ""');
  const values = command.opts();
  for (const [name, { value }] of Object.entries(spec.options)) {
    values[name] ??= value === undefined ? false : undefined;
  }
  return {
    kind: "run",
    options: values as OptionValues<O>,
    argument: command.args[0],
    arguments: command.args,
    overrides,
  };
}

/**
 * A script's whole main: reads `args`, prints the help if asked, else runs `action`, whose number,
 * if any, is the exit code. Wrong use ends the process with exit code 2 and one line.
 */
export async function runCommand<const O extends OptionSpecs>(
  spec: CommandSpec<O>,
  action: (invocation: Invocation<O>) => number | void | Promise<number | void>,
  args: readonly string[] = Deno.args,
): Promise<void> {
  keepHangupIgnored();
  await runMain(() => {
    const invocation = readOnce(spec, args);
    if (invocation.kind === "help") return void console.log(invocation.text);
    const note = folderNote(Deno.env.get("INIT_CWD"), Deno.cwd());
    if (note !== null) console.error(note);
    for (const [name, { variable }] of Object.entries<OptionSpec>(spec.options)) {
      const value = (invocation.options as Record<string, unknown>)[name];
      if (variable !== undefined && value !== undefined) Deno.env.set(variable, `${value}`);
    }
    return action(invocation);
  });
}

/**
 * Reads a command line; of several processes that were started with one, the first says what is wrong
 * with it, or what it asks to be told.
 */
function readOnce<const O extends OptionSpecs>(spec: CommandSpec<O>, args: readonly string[]) {
  const isFirst = (launchOf(Deno.env)?.rank ?? 0) === 0;
  try {
    const invocation = parseCommand(spec, args);
    if (invocation.kind === "help" && !isFirst) Deno.exit(0);
    return invocation;
  } catch (error) {
    if (isFirst) throw error;
    Deno.exit(exitCodeOf(error));
  }
}

/**
 * What to tell a person who started a task below the folder that tasks run in, where relative paths
 * mean something else than it seems; else null.
 *
 * @param started Where the person stands; `deno task` says so in INIT_CWD.
 * @param here Where the task runs.
 */
export function folderNote(started: string | undefined, here: string): string | null {
  if (started === undefined || relative(here, started) === "") return null;
  if (/^\.\.|^[A-Za-z]:|^\//.test(relative(here, started))) return null;
  return `note: tasks run in ${here}; paths are relative to it, not to ${started}`;
}

/** Separates `--a.b=value` from the rest; everything after a bare `--` is left alone. */
function takeOverrides(args: readonly string[]) {
  const rest: string[] = [];
  const overrides: [string, string][] = [];
  const end = args.indexOf("--");
  const limit = end < 0 ? args.length : end;
  for (const arg of args.slice(0, limit)) {
    const match = /^--([^=.]+\.[^=]*)(=?)(.*)$/s.exec(arg);
    if (match === null) {
      rest.push(arg);
      continue;
    }
    const [, path = "", equals, value = ""] = match;
    if (equals === "") {
      throw new UsageError(
        `Cannot read --${path}: an override must carry its value after "=", as in --${path}=VALUE`,
      );
    }
    if (!/^[A-Za-z_]\w*(\.[A-Za-z_0-9]\w*)+$/.test(path)) {
      throw new UsageError(
        `Cannot read --${path}: an override must name a dotted path, as in --train.batchSize=64`,
      );
    }
    overrides.push([path, value]);
  }
  return { rest: [...rest, ...args.slice(limit)], overrides };
}

function withHome(_: string, option = "", path: string): string {
  return option + expandHome(path);
}

function places({ argument, arguments: several }: CommandSpec): readonly ArgumentSpec[] {
  return several ?? (argument ? [argument] : []);
}

function toCommander(spec: CommandSpec, writeHelp: (text: string) => void): Command {
  const command = new Command(`deno task ${spec.name}`)
    .description(spec.summary + (spec.description === undefined ? "" : `\n\n${spec.description}`))
    .allowExcessArguments(false)
    .helpOption("-h, --help", "show this help")
    .exitOverride()
    .configureOutput({ writeOut: writeHelp, writeErr: () => {} });
  const named = places(spec);
  if (spec.overrides !== undefined) {
    const names = named.map(({ name }) => ` [${name}]`).join("");
    command.usage(`[options] [--dotted.path=value ...]${names}`);
  }
  for (const [name, option] of Object.entries(spec.options)) {
    command.addOption(toCommanderOption(spec, name, option));
  }
  for (const { name, description } of named) {
    command.argument(`[${name}]`, description);
  }
  let after = "";
  if (spec.overrides !== undefined) {
    after += `\nOverrides:\n  --dotted.path=value  ${spec.overrides}\n`;
  }
  if (spec.examples.length > 0) {
    after += "\nExamples:\n";
    for (const { args, does } of spec.examples) {
      after += `  deno task ${`${spec.name} ${args}`.trimEnd()}\n      ${does}\n`;
    }
  }
  if (after !== "") command.addHelpText("after", after.trimEnd());
  return command;
}

function toCommanderOption(command: CommandSpec, name: string, spec: OptionSpec): Option {
  const short = spec.short === undefined ? "" : `-${spec.short}, `;
  const value = spec.value === undefined ? "" : ` <${spec.value}>`;
  const option = new Option(`${short}${optionFlag(name)}${value}`, spec.description);
  // commander would turn a switch named noX into X, true by default.
  option.negate = false;
  if (spec.default !== undefined) option.default(spec.default);
  if (spec.required) option.makeOptionMandatory();
  if (spec.choices) option.choices([...spec.choices]);
  if (spec.value !== undefined) {
    option.argParser((text: string) => {
      try {
        return readValue(spec, text);
      } catch (error) {
        const reason = error instanceof Error ? error.message : String(error);
        throw refusal(command, `${optionFlag(name)} ${reason}`);
      }
    });
  }
  return option;
}

/** Reads an option's value; what it throws follows the flag. */
function readValue({ parse, choices }: OptionSpec, text: string): unknown {
  if (text === "") throw new RangeError('must have a value, got ""');
  if (choices && !choices.includes(text)) {
    throw new RangeError(`must be one of ${choices.join(", ")}, got ${JSON.stringify(text)}`);
  }
  return parse ? parse(text) : text;
}

function refusal({ name }: CommandSpec, reason: string): UsageError {
  return new UsageError(`Cannot run ${name}: ${reason}, see --help`);
}

/** What commander refuses, as a rule and what was given. */
function reasonOf(spec: CommandSpec, error: CommanderError, given: readonly string[]): string {
  const text = error.message.replace(/^error: /, "");
  switch (error.code) {
    case "commander.unknownOption": {
      const [, flag = "", valueGiven = ""] =
        /^unknown option '([^=]*?)(?:=(.*))?'(?:\n|$)/s.exec(text) ?? [];
      if (Object.keys(spec.options).some((name) => optionFlag(name) === flag)) {
        return `${flag} must have no value, got ${JSON.stringify(valueGiven)}` +
          overrideHint(spec, valueGiven);
      }
      const hint = /\((Did you mean .*\?)\)$/.exec(text)?.[1]?.replace("Did", ", did") ?? "";
      return `${flag} must be a known option${hint}`;
    }
    case "commander.optionMissingArgument": {
      const [, flag = "", value = ""] = /(--[\w-]+) <(.*)>/.exec(text) ?? [];
      return `${flag} must have a value, as in ${flag} ${value}, got none`;
    }
    case "commander.missingMandatoryOptionValue": {
      const [, flag = "", value = ""] = /(--[\w-]+) <(.*)>/.exec(text) ?? [];
      return `${flag} ${value} must be given`;
    }
    case "commander.excessArguments": {
      const most = places(spec).length;
      const got = given.map((argument) => JSON.stringify(argument)).join(", ");
      const count = most === 0 ? "no argument" : `at most ${most} argument${most === 1 ? "" : "s"}`;
      const [first = ""] = given;
      const hint = configHint(spec, given) || (most === 0 ? overrideHint(spec, first) : "");
      return `it must have ${count}, got ${got}${hint}`;
    }
    default:
      return text.replace(/\s*\n\s*/g, " ").replace(/\.$/, "");
  }
}

/** What a value that no option takes was meant to be. */
function overrideHint({ options }: CommandSpec, value: string): string {
  const key = Object.values(options).find(({ valueBelongsTo }) => valueBelongsTo)?.valueBelongsTo;
  return key === undefined ? "" : `, did you mean --${key}=${value}?`;
}

/** What a config without its option in front was meant to be. */
function configHint(spec: CommandSpec, given: readonly string[]): string {
  const file = given.find((argument) => argument.endsWith(".json"));
  return spec.options.config && file ? `, did you mean --config ${file}?` : "";
}
