/**
 * The dotted keys of a config, and the one that a misspelt key probably means.
 *
 * @module
 */

/** Every dotted key of `tree` with its value, sections before their fields. */
export function* dottedEntries(tree: object, prefix = ""): Generator<[string, unknown]> {
  for (const [name, value] of Object.entries(tree)) {
    const key = prefix + name;
    yield [key, value];
    if (isSection(value)) yield* dottedEntries(value, `${key}.`);
  }
}

/** Whether a value of a config is an object of further keys. */
export function isSection(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** A section with another's values where it has none; one of another `name` keeps to its own. */
export function withDefaults(given: unknown, defaults: unknown): unknown {
  if (given === undefined) return defaults;
  if (!isSection(given) || !isSection(defaults)) return given;
  if ("name" in given && given.name !== defaults.name) return given;
  const merged: Record<string, unknown> = { ...defaults };
  for (const [key, value] of Object.entries(given)) {
    merged[key] = withDefaults(value, defaults[key]);
  }
  return merged;
}

/** The key of `known` that `key` is probably meant to be, if any is near. */
export function suggestKey(key: string, known: Iterable<string>): string | null {
  const keys = [...known];
  // The section that the key is in would be near, but no help.
  const helpful = keys.filter((candidate) =>
    !key.startsWith(`${candidate}.`) || !keys.some((other) => other.startsWith(`${candidate}.`))
  );
  const name = fold(last(key));
  const farthest = name.length < 4 ? 1 : Math.max(2, name.length / 3);
  let best: string | null = null, bestDistance = Infinity;
  for (const candidate of helpful) {
    const whole = editDistance(fold(key), fold(candidate));
    const lastOnly = editDistance(name, fold(last(candidate)));
    // A key without its section, or in the wrong one, is the second-best guess.
    const distance = Math.min(
      whole <= 2 ? whole : Infinity,
      lastOnly <= farthest ? lastOnly + 0.5 : Infinity,
    );
    if (distance < bestDistance) [best, bestDistance] = [candidate, distance];
  }
  return best;
}

function last(key: string): string {
  return key.slice(key.lastIndexOf(".") + 1);
}

/** So that batch-size, batch_size and batchsize are all at no distance from batchSize. */
function fold(key: string): string {
  return key.toLowerCase().replaceAll(/[-_]/g, "");
}

/** Insertions, deletions and substitutions from `a` to `b` (Levenshtein 1966). */
export function editDistance(a: string, b: string): number {
  let row = Array.from({ length: b.length + 1 }, (_, j) => j);
  for (let i = 1; i <= a.length; i++) {
    const next = [i];
    for (let j = 1; j <= b.length; j++) {
      const substituted = row[j - 1]! + (a[i - 1] === b[j - 1] ? 0 : 1);
      next.push(Math.min(substituted, row[j]! + 1, next[j - 1]! + 1));
    }
    row = next;
  }
  return row[b.length]!;
}
