/**
 * Seeds as a person writes them.
 *
 * @module
 */

/** Seeds that a list may name at most. */
const MAX_SEEDS = 1_000_000;

/** One seed, 0 to 2^53 - 1. */
function parseSeed(text: string): number {
  const seed = /^\d+$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(seed)) return seed;
  throw new RangeError(
    `must be integers of at least 0 and ranges, as in 5,17,100-120, got ${JSON.stringify(text)}`,
  );
}

/**
 * Reads "5,17,100-120": seeds and inclusive ranges, in the order given.
 *
 * @throws {RangeError} "must be ..., got ...", for anything else, seeds named twice included.
 */
export function parseSeeds(text: string): number[] {
  const seeds = new Set<number>();
  for (const part of text.split(",")) {
    const [first = "", last = first, ...more] = part.trim().split("-");
    if (more.length > 0) parseSeed(part);
    const from = parseSeed(first), to = parseSeed(last);
    if (to < from) {
      throw new RangeError(`must have ranges that ascend, got ${JSON.stringify(part)}`);
    }
    if (to - from >= MAX_SEEDS - seeds.size) {
      throw new RangeError(`must name at most ${MAX_SEEDS} seeds, got ${JSON.stringify(part)}`);
    }
    for (let seed = from; seed <= to; seed++) {
      if (seeds.has(seed)) throw new RangeError(`must name each seed once, got ${seed} again`);
      seeds.add(seed);
    }
  }
  return [...seeds];
}

/**
 * Reads "3,8": the two seeds to go between.
 *
 * @throws {RangeError} "must be ..., got ...", for anything else.
 */
export function parseSeedPair(text: string): [from: number, to: number] {
  const [from, to, ...more] = text.split(",");
  if (from === undefined || to === undefined || more.length > 0) {
    throw new RangeError(`must be two seeds, as in 3,8, got ${JSON.stringify(text)}`);
  }
  return [parseSeed(from.trim()), parseSeed(to.trim())];
}
