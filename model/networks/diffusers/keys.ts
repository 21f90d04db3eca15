/**
 * Keys of config.json files of Hugging Face diffusers, which are our options in another spelling.
 *
 * @module
 */
import type { AnyRule, FieldTable, Option } from "../../../support/options.ts";
import { ruleText } from "../../../support/rule_text.ts";

/** Is told of a key that asks for what a network cannot do, the rule that it breaks, its value. */
export type RefuseKey = (key: string, rule: string, value: unknown) => void;

/** `blockOutChannels` as `block_out_channels`. */
export function keyThere(key: string): string {
  return key.replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
}

/** A JSON object. */
export type Json = Readonly<Record<string, unknown>>;

/** The value of a key; undefined where it is left out. */
export function valueOf(config: Json, key: string): unknown {
  return Object.hasOwn(config, key) ? config[key] : undefined;
}

/** Other names of values. */
const SYNONYMS: Json = { swish: "silu" };

/**
 * The values of options in a config.
 *
 * @param theirDefaults What a class takes where a config leaves a key out and our own default differs.
 * @param refuse Is told of each value that breaks its option's rule.
 */
export function readKeys(
  config: Json,
  options: FieldTable,
  theirDefaults: Json,
  refuse: RefuseKey,
): Record<string, unknown> {
  const found: Record<string, unknown> = {};
  for (const [key, field] of Object.entries(options)) {
    const { rule, initial } = field as Option<unknown>;
    const given = valueOf(config, keyThere(key));
    const absent = given === undefined || (given === null && rule.kind !== "nullable");
    const own = absent ? theirDefaults[key] ?? initial : renamed(given);
    if (accepts(rule, own)) found[key] = own;
    else refuse(keyThere(key), ruleText(rule), own);
  }
  return found;
}

/** Options as keys of a config. */
export function writeKeys(options: object): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(options).map(([key, value]) => [keyThere(key), value]),
  );
}

/** Whether a value counts something that there is. */
export const isCount = (value: unknown): value is number =>
  Number.isSafeInteger(value) && Number(value) > 0;

function renamed(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(renamed);
  return typeof value === "string" && Object.hasOwn(SYNONYMS, value) ? SYNONYMS[value] : value;
}

/** Whether a value obeys a rule. */
function accepts(rule: AnyRule, value: unknown): boolean {
  switch (rule.kind) {
    case "nullable":
      return value === null || accepts(rule.rule, value);
    case "flag":
      return typeof value === "boolean";
    case "choice":
      return rule.values.includes(value as string);
    case "list":
      return Array.isArray(value) && value.length >= rule.fewest &&
        value.every((item) => accepts(rule.item, item));
    case "number": {
      const { min = -Infinity, max = Infinity, above = -Infinity, below = Infinity } = rule.limits;
      return typeof value === "number" &&
        (rule.whole ? Number.isSafeInteger(value) : Number.isFinite(value)) &&
        value >= min && value <= max && value > above && value < below;
    }
    default:
      return false;
  }
}
