/**
 * Rules of options in words.
 *
 * @module
 */
import type { AnyRule, Limits } from "./options.ts";

/** A rule in words, after "must": "be a whole number of at least 1". */
export function ruleText(rule: AnyRule): string {
  switch (rule.kind) {
    case "choice": {
      const { values } = rule;
      if (values.every((value) => typeof value === "number")) return `be ${values.join(" or ")}`;
      return `be ${values.length > 1 ? "one of " : ""}${values.join(", ")}`;
    }
    case "nullable":
      return ruleText(rule.rule);
    default:
      return `be ${nounPhrase(rule)}`;
  }
}

function nounPhrase(rule: AnyRule): string {
  switch (rule.kind) {
    case "number":
      return `a ${numberPhrase(rule.whole ? "whole number" : "number", rule.limits)}` +
        (rule.isDuration ? ", or a length of time such as 5 epochs or 300k images" : "");
    case "flag":
      return "true or false";
    case "text":
      return rule.form?.words ?? "a string of at least one character";
    case "choice":
      return rule.values.join(", ");
    case "list":
      return listPhrase(rule.item, rule.fewest);
    case "pair":
      return `a list of two ${pluralOf(rule.item)}`;
    case "nullable":
      return nounPhrase(rule.rule);
    case "either":
      return rule.words;
  }
}

function numberPhrase(noun: string, { min, max, above, below }: Limits): string {
  if (above !== undefined && below !== undefined) return `${noun} between ${above} and ${below}`;
  if (min !== undefined && max !== undefined) return `${noun} from ${min} to ${max}`;
  const lower = above !== undefined
    ? `above ${above}`
    : min !== undefined
    ? `of at least ${min}`
    : "";
  const upper = below !== undefined ? `below ${below}` : max !== undefined ? `at most ${max}` : "";
  if (lower !== "" && upper !== "") return `${noun} ${lower} and ${upper}`;
  return `${noun} ${lower || upper.replace(/^at most/, "of at most")}`.trim();
}

function listPhrase(item: AnyRule, fewest: number): string {
  if (item.kind === "choice") {
    return `a list of ${fewest > 0 ? "at least one of" : "any of"} ${item.values.join(", ")}`;
  }
  if (item.kind === "text") return `a list of ${fewest > 0 ? "at least one string" : "strings"}`;
  if (item.kind !== "number") return `a list of ${nounPhrase(item)}`;
  return `a list of ${
    fewest > 0 ? `at least one ${nounPhrase(item).slice(2)}` : pluralOf(item, true)
  }`;
}

function pluralOf(item: AnyRule, withLimits = false): string {
  if (item.kind !== "number") return nounPhrase(item);
  const noun = item.whole ? "whole numbers" : "numbers";
  return withLimits ? numberPhrase(noun, item.limits) : noun;
}
