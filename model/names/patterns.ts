/**
 * Patterns of dotted names.
 *
 * @module
 */

/** Patterns of a list, or of text with commas. */
export function patternsOf(given: string | readonly string[]): readonly string[] {
  return typeof given === "string" ? given.split(",").map((each) => each.trim()) : given;
}

/** Whether a pattern means a name: `*` stands for any characters, and a module for all below it. */
export function matchesName(pattern: string, name: string): boolean {
  const parts = pattern.split("*").map((part) => part.replace(/[.+?^${}()|[\]\\]/g, "\\$&"));
  return new RegExp(`^${parts.join(".*")}(\\..*)?$`).test(name);
}
