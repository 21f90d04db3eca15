/**
 * From the text of a config file and overrides to a complete, checked config, and back to text.
 *
 * @module
 */
import { UsageError } from "../support/errors.ts";
import { readNamedFile } from "../support/files.ts";
import { expandHome } from "../support/home.ts";
import { checkConfig } from "./checks.ts";
import { parseJson } from "./json.ts";
import { dottedFields } from "./description.ts";
import { type Clock, resolveDurations } from "./durations.ts";
import { isSection, suggestKey } from "./keys.ts";
import { applySchema, type Config, fieldAccepts, type Violation } from "./schema.ts";

/** A dotted key and what it is set to, as on a command line: ["train.steps", "10"]. */
export type Override = readonly [key: string, text: string];

/** How to read a config. */
export interface ConfigSource {
  /** Path or name of the text: errors name it, and its file name gives `run.dir`. */
  path: string;
  /** Overrides, applied in order. Default none. */
  overrides?: readonly Override[];
  /** How long its epochs are; one that counts in epochs is refused without. */
  clock?: Clock;
}

/** The name of the config at `path`: its file name without .json. */
export function configName(path: string): string {
  return path.replace(/^.*[/\\]/s, "").replace(/\.json$/, "");
}

/**
 * The config in the JSON `text`, with overrides applied, defaults filled in and `run.dir` set. A
 * value of an override is JSON where the key accepts that, and the bare string otherwise.
 *
 * @throws {UsageError} one line: where the text stops being JSON, which key is unknown and what it
 * may mean, or which value breaks which rule
 */
export function parseConfig(
  text: string,
  { path, overrides = [], clock = {} }: ConfigSource,
): Config {
  const input = readText(text, path);
  // Found before any override, so that a mistake is blamed on where it was made.
  refuseUnknownKeys(input, `config ${path}`);
  let tree = input;
  for (const [key, value] of overrides) tree = withOverride(tree, key, value);
  tree = resolveDurations(tree, clock);
  const { config, violation } = applySchema(tree);
  if (violation) throw broken(violation, tree, path, overrides);
  const between = checkConfig(config);
  if (between) throw broken(between, config, path, overrides);
  expandPaths(config);
  return { ...config, run: { ...config.run, dir: config.run.dir ?? `runs/${configName(path)}` } };
}

/**
 * As {@linkcode parseConfig}, for the file at `path`.
 *
 * @throws {UsageError} also if the file can't be read
 */
export async function loadConfig(
  path: string,
  overrides: readonly Override[] = [],
  clock: Clock = {},
): Promise<Config> {
  const text = new TextDecoder().decode(await readNamedFile("config", path));
  return parseConfig(text, { path, overrides, clock });
}

/** The text of `config`: equal configs give equal bytes, and parseConfig gives the config back. */
export function formatConfig(config: Config): string {
  // Lists of numbers go on one line. A line break inside a string is escaped and can't match.
  const text = JSON.stringify(config, null, 2).replaceAll(
    /\[\n\s+([^[\]{}]*?)\n\s*\]/g,
    (_, items: string) => `[${items.replaceAll(/\n\s+/g, " ")}]`,
  );
  return `${text}\n`;
}

/** The config in checkpoints: where things lie is not what they are. */
export function checkpointConfig(config: Config): string {
  return formatConfig({
    ...config,
    run: { ...config.run, dir: null },
    data: { ...config.data, dir: null },
  });
}

/** Puts the home folder into the paths of a config that begin with `~/`. */
function expandPaths(config: Config): void {
  for (const { key, field } of dottedFields()) {
    if (field.kind !== "option") continue;
    const rule = field.rule.kind === "nullable" ? field.rule.rule : field.rule;
    if (rule.kind !== "text" || !rule.isPath) continue;
    const names = key.split(".");
    const last = names.pop()!;
    const section = names.reduce<unknown>(
      (node, name) => (node as Record<string, unknown>)[name],
      config,
    ) as Record<string, unknown>;
    const value = section[last];
    if (typeof value === "string") section[last] = expandHome(value);
  }
}

function readText(text: string, path: string): unknown {
  try {
    return parseJson(text, path);
  } catch (cause) {
    throw cause instanceof SyntaxError ? new UsageError(cause.message, { cause }) : cause;
  }
}

/** Every key that a config may have, and whether it has more below it. */
function knownKeys(): Map<string, boolean> {
  return new Map(Array.from(dottedFields(), ({ key, field }) => [key, field.kind !== "option"]));
}

function refuseUnknownKeys(input: unknown, source: string): void {
  const known = knownKeys();
  const inspect = (node: unknown, prefix: string) => {
    if (!isSection(node)) return;
    for (const [name, value] of Object.entries(node)) {
      const key = prefix + name;
      if (key === "$schema") continue;
      if (!known.has(key)) throw unknownKey(source, key, known.keys());
      if (known.get(key)) inspect(value, `${key}.`);
    }
  };
  inspect(input, "");
}

function withOverride(tree: unknown, key: string, text: string): unknown {
  const known = knownKeys();
  if (!known.has(key)) throw unknownKey(`--${key}=${text}`, key, known.keys());
  const value = overrideValue(key, text);
  if (known.get(key)) refuseUnknownKeys(nest(key, value), `--${key}=${text}`);
  const copy: Record<string, unknown> = isSection(tree) ? { ...tree } : {};
  const names = key.split(".");
  let section = copy;
  // The later one of the two counts.
  const other = LENGTHS[key];
  for (const name of names.slice(0, -1)) {
    const inner = section[name];
    section = section[name] = isSection(inner) ? { ...inner } : {};
  }
  if (other !== undefined) delete section[other];
  section[names.at(-1)!] = value;
  return copy;
}

/** The two keys that say how long a run is, each with the other's name. */
const LENGTHS: Readonly<Record<string, string>> = {
  "train.steps": "epochs",
  "train.epochs": "steps",
};

function nest(key: string, value: unknown): unknown {
  return key.split(".").reduceRight((inner, name) => ({ [name]: inner }), value);
}

/** JSON if the key accepts it; a text that only looks like JSON where the key wants a string. */
function overrideValue(key: string, text: string): unknown {
  let value: unknown;
  try {
    value = parseJson(text, key);
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    return text;
  }
  return !fieldAccepts(key, value) && fieldAccepts(key, text) ? text : value;
}

function unknownKey(source: string, key: string, known: Iterable<string>): UsageError {
  const suggestion = suggestKey(key, known);
  return new UsageError(
    `Cannot use ${source}: ${key} must be a known key` +
      (suggestion === null ? "" : `, did you mean ${suggestion}?`),
  );
}

function broken(
  { path: keys, rule, hint, got }: Violation,
  tree: unknown,
  path: string,
  overrides: readonly Override[],
): UsageError {
  const key = keys.reduce<string>(
    (text, name) => typeof name === "number" ? `${text}[${name}]` : text ? `${text}.${name}` : name,
    "",
  );
  const value = got ?? keys.reduce<unknown>(
    (node, name) => (node as Record<string | number, unknown> | undefined)?.[name],
    tree,
  );
  const culprit = overrides.findLast(([name]) => `${keys.join(".")}.`.startsWith(`${name}.`));
  const source = culprit
    ? `--${culprit[0]}=${culprit[1]}`
    : `config ${path}${overrides.length > 0 ? " with its overrides" : ""}`;
  return new UsageError(
    `Cannot use ${source}: ${key || "it"} must ${rule}, got ${abridged(value)}` +
      (hint === undefined ? "" : `; ${hint}`),
  );
}

function abridged(value: unknown): string {
  const text = typeof value === "number" ? `${value}` : JSON.stringify(value) ?? "nothing";
  return text.length <= 60 ? text : `${text.slice(0, 57)}...`;
}
