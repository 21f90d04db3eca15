/**
 * Options of a command line from the description of a config's keys.
 *
 * @module
 */
import { decimal, integer } from "../../support/numbers.ts";
import type { AnyRule, Option } from "../../support/options.ts";

/** An option of a command line whose value is what a key may be, but null. */
type SpecOf<T> =
  & { readonly value: string; readonly description: string }
  & (Exclude<T, null> extends string ? { readonly choices: readonly Exclude<T, null>[] }
    : { readonly parse: (text: string) => Exclude<T, null> });

/**
 * The option that sets what a key of a config sets.
 *
 * @param value What the value is called in the help, such as "N".
 * @param more What the help says after what the key means.
 * @throws {TypeError} If the key takes anything but a number with inclusive limits, or one of a few
 *   words.
 */
export function optionSpec<T extends string | number | null>(
  { rule, about }: Option<T>,
  value: string,
  more = "",
): SpecOf<T> {
  const description = about[0]!.toLowerCase() + about.slice(1) + (more && `; ${more}`);
  return { value, description, ...readerOf(rule) } as SpecOf<T>;
}

function readerOf(rule: AnyRule): object {
  if (rule.kind === "nullable") return readerOf(rule.rule);
  if (rule.kind === "choice") return { choices: rule.values.map(String) };
  if (rule.kind !== "number" || "above" in rule.limits || "below" in rule.limits) {
    throw new TypeError(
      "Cannot make an option of a key: it must be a number with inclusive limits or one of a few words",
    );
  }
  return { parse: (rule.whole ? integer : decimal)(rule.limits) };
}
