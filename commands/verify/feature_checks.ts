/**
 * What the families of features share: tables of formulas, in f64 and in f32.
 *
 * @module
 */
import {
  budgetOf,
  type CaseName,
  Comparison,
  type GoldenFile,
  maxAbs,
  unsupported,
} from "./golden.ts";

/** Relative budget of f64 tables, which span many orders of magnitude. */
export const TABLE_BUDGET = 1e-11;

/**
 * Compares f64 numbers element by element, each by its own size, but none by less than `floor`.
 *
 * @param budget Relative.
 */
export function checkTable(
  comparison: Comparison,
  name: string,
  actual: ArrayLike<number>,
  expected: ArrayLike<number>,
  floor = 0,
  budget = TABLE_BUDGET,
): void {
  let worst = actual.length === expected.length ? 0 : Infinity;
  for (let i = 0; i < actual.length; i++) {
    if (Object.is(actual[i], expected[i])) continue;
    const size = Math.max(Math.abs(expected[i]!), floor) || 1;
    const error = Math.abs(actual[i]! - expected[i]!) / size;
    worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
  }
  comparison.note(name, worst, budget, worst <= budget);
}

/**
 * Compares with what f32 code computed, within ten times its own error against the exact values, which
 * ours are if {@linkcode checkTable} says so.
 */
export function checkRounded(
  comparison: Comparison,
  name: string,
  actual: ArrayLike<number>,
  recorded: ArrayLike<number>,
  exact: ArrayLike<number>,
): void {
  const errors = Array.from(recorded, (value, i) => value - exact[i]!);
  comparison.check(name, actual, recorded, budgetOf(maxAbs(errors), maxAbs(recorded)));
}

/** Compares a tensor within the budget of its recorded error. */
export function checkRecorded(
  golden: GoldenFile,
  comparison: Comparison,
  name: string,
  actual: ArrayLike<number>,
): void {
  const errors = (golden.manifest.max_abs_f32_vs_f64 ??
    (golden.manifest.results as Json | undefined)?.max_abs_f32_vs_f64 ?? {}) as Json;
  const expected = golden.get(name).data;
  const { max_abs_f32_vs_f64: e = 0, scale_absmax_f64: s = maxAbs(expected) } =
    (errors[name] ?? {}) as { max_abs_f32_vs_f64?: number; scale_absmax_f64?: number };
  comparison.check(name, actual, expected, budgetOf(e, s));
}

/** Values of a manifest. */
export type Json = Readonly<Record<string, unknown>>;

/** A case with a comparison of its own; what `body` does not know of `names` is unsupported. */
export async function* caseOf(
  name: CaseName,
  names: readonly string[],
  body: (comparison: Comparison, done: (name: string) => void) => void | Promise<void>,
) {
  const comparison = new Comparison(name.case, name.family, name.op);
  const open = new Set(names);
  await body(comparison, (known) => open.delete(known));
  if (open.size < names.length) yield comparison.result();
  for (const unknown of open) {
    yield unsupported({ ...name, case: unknown }, `${unknown} is not known`);
  }
}
