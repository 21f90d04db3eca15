/**
 * Seeds as a person writes them.
 *
 * @module
 */

/** What a text must be. */
const LIMITS = `from 0 to ${Number.MAX_SAFE_INTEGER}`;
const LIST = `integers ${LIMITS} and ranges, as in 5,17,100-120`;
const PAIR = `two integers ${LIMITS}, as in 3,8`;

/** Seeds that a list may name at most. */
const MAX_SEEDS = 1_000_000;

/** One seed, 0 to 2^53 - 1, of a text that must be `what`. */
function parseSeed(text: string, what: string): number {
  const seed = /^\d+$/.test(text) ? Number(text) : NaN;
  if (Number.isSafeInteger(seed)) return seed;
  throw new RangeError(`must be ${what}, got ${JSON.stringify(text)}`);
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
    if (more.length > 0) parseSeed(part, LIST);
    const from = parseSeed(first, LIST), to = parseSeed(last, LIST);
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
    throw new RangeError(`must be ${PAIR}, got ${JSON.stringify(text)}`);
  }
  return [parseSeed(from.trim(), PAIR), parseSeed(to.trim(), PAIR)];
}
