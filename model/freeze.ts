/**
 * Parts of a network that training leaves as they are.
 *
 * @module
 */
import type { Module } from "./module.ts";
import { namedParameters } from "./module.ts";
import { matchesName, patternsOf } from "./names/patterns.ts";

/**
 * Marks parameters as not learned: they get no gradient, and the optimiser leaves them alone.
 *
 * @param given Patterns of names, as in `down.*,*.bias` or a list; see {@linkcode matchesName}.
 * @throws {RangeError} When a pattern means none, or nothing is left to learn.
 */
export function freeze(module: Module, given: string | readonly string[]): void {
  const patterns = patternsOf(given);
  const named = [...namedParameters(module)];
  for (const pattern of patterns) {
    const meant = named.filter(([name]) => matchesName(pattern, name));
    if (meant.length === 0) {
      const tops = new Set(named.map(([name]) => name.split(".")[0]!));
      throw new RangeError(
        `Cannot freeze ${
          JSON.stringify(pattern)
        }: optim.freeze must name parameters of the network, ` +
          `as in ${named[0]?.[0] ?? "none"}; below ${[...tops].join(", ")}`,
      );
    }
    for (const [, parameter] of meant) parameter.learned = false;
  }
  if (patterns.length === 0 || named.some(([, { learned }]) => learned)) return;
  throw new RangeError("Cannot freeze everything: optim.freeze must leave something to learn");
}
