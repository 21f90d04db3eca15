/**
 * Numbers read from text: whole, or not at all.
 *
 * @module
 */

/** Inclusive limits. */
export interface NumberRange {
  min?: number;
  max?: number;
}

const SAFE: NumberRange = { min: Number.MIN_SAFE_INTEGER, max: Number.MAX_SAFE_INTEGER };

function describeRange(kind: string, { min, max }: NumberRange): string {
  if (min !== undefined && max !== undefined) return `${kind} from ${min} to ${max}`;
  if (min !== undefined) return `${kind} of at least ${min}`;
  if (max !== undefined) return `${kind} of at most ${max}`;
  return kind;
}

function checked(text: string, value: number, kind: string, range: NumberRange): number {
  const { min = -Infinity, max = Infinity } = range;
  if (value >= min && value <= max) return value;
  throw new RangeError(`must be ${describeRange(kind, range)}, got ${JSON.stringify(text)}`);
}

/**
 * A reader of decimal integers: `integer({ min: 1 })("64")` is 64.
 *
 * @throws RangeError, "must be an integer of at least 1, got ...", for anything else, "6.4e1" and
 * integers that a double cannot hold included; of those the text names both limits.
 */
export function integer(range: NumberRange = {}): (text: string) => number {
  return (text) => {
    const value = /^[+-]?\d+$/.test(text) ? Number(text) : NaN;
    if (Number.isNaN(value) || Number.isSafeInteger(value)) {
      return checked(text, value, "an integer", range);
    }
    // An integer, so that the limits are what is to be told, a double's where there are no others.
    return checked(text, NaN, "an integer", { ...SAFE, ...range });
  };
}

/**
 * A reader of finite decimal numbers: `decimal({ min: 0, max: 1 })("2e-4")` is 0.0002.
 *
 * @throws RangeError for anything else ("", "0x10" and "Infinity" included).
 */
export function decimal(range: NumberRange = {}): (text: string) => number {
  return (text) => {
    const value = /^[+-]?(\d+\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) ? Number(text) : NaN;
    return checked(text, Number.isFinite(value) ? value : NaN, "a number", range);
  };
}
