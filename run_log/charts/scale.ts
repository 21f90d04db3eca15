/**
 * Axes: from values to places, and where the ticks go.
 *
 * @module
 */

/** A mark on an axis. */
export interface Tick {
  readonly value: number;
  /** In the notation of svg.ts; empty for a mark without a number. */
  readonly label: string;
}

/** What an axis is to show. */
export interface AxisOptions {
  readonly label: string;
  readonly log?: boolean;
  /** Ticks instead of those that would be chosen. */
  readonly ticks?: readonly Tick[];
  /** Bounds that must be visible besides the data's. */
  readonly include?: readonly number[];
}

/** An axis from `low` to `high`, 0 to 1 along its length. */
export interface Scale {
  readonly log: boolean;
  readonly low: number;
  readonly high: number;
  readonly ticks: readonly Tick[];
  place(value: number): number;
}

/** A scale for values; a log scale leaves out those that are not positive. */
export function makeScale(values: Iterable<number>, options: AxisOptions, pad = 0.04): Scale {
  const { log = false, include = [] } = options;
  let low = Infinity, high = -Infinity;
  for (const list of [values, include]) {
    for (const value of list) {
      if (!Number.isFinite(value) || (log && value <= 0)) continue;
      low = Math.min(low, value);
      high = Math.max(high, value);
    }
  }
  if (low > high) [low, high] = log ? [0.1, 1] : [0, 1];
  const forward = log ? Math.log : (value: number) => value;
  const backward = log ? Math.exp : (value: number) => value;
  let [a, b] = [forward(low), forward(high)];
  if (a === b) [a, b] = [a - 0.5, b + 0.5];
  const margin = pad * (b - a);
  [a, b] = [a - margin, b + margin];
  [low, high] = [backward(a), backward(b)];
  const ticks = options.ticks ?? (log ? logTicks(low, high) : linearTicks(low, high));
  return {
    log,
    low,
    high,
    ticks: ticks.filter(({ value }) =>
      value >= low * (1 - 1e-9) && value <= high + 1e-9 * (high - low)
    ),
    place: (value) => (forward(value) - a) / (b - a),
  };
}

/** A value as a reader expects it: 0.05, 20, 12k, 10^{-5}. */
export function formatTick(value: number): string {
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e6 || size < 1e-3) {
    const exponent = Math.floor(Math.log10(size) + 1e-9);
    const factor = Number((value / 10 ** exponent).toPrecision(3));
    return `${factor === 1 ? "" : `${factor}·`}10^{${exponent < 0 ? "−" : ""}${
      Math.abs(exponent)
    }}`;
  }
  const plain = size >= 1e4
    ? `${Number((size / 1000).toPrecision(6))}k`
    : `${Number(size.toPrecision(6))}`;
  return `${value < 0 ? "−" : ""}${plain}`;
}

function linearTicks(low: number, high: number): Tick[] {
  const rough = (high - low) / 5;
  const unit = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((factor) => factor * unit >= rough)! * unit;
  const ticks: Tick[] = [];
  for (let i = Math.ceil(low / step); i * step <= high; i++) {
    const value = Number((i * step).toPrecision(12));
    ticks.push({ value, label: formatTick(value) });
  }
  return ticks;
}

/** Decades with numbers; over less than two also 2 and 5 of each; over half a one as on a linear axis. */
function logTicks(low: number, high: number): Tick[] {
  const decades = Math.log10(high / low);
  if (decades < 0.5) return linearTicks(low, high);
  const every = Math.max(1, Math.ceil(decades / 7));
  const numbered = decades < 0.9 ? [1, 2, 3, 5, 7] : decades < 2.2 ? [1, 2, 5] : [1];
  const ticks: Tick[] = [];
  for (let e = Math.floor(Math.log10(low)); e <= Math.log10(high); e++) {
    for (const factor of [1, 2, 3, 4, 5, 6, 7, 8, 9]) {
      const value = Number((factor * 10 ** e).toPrecision(12));
      const shown = numbered.includes(factor) && (decades < 2.2 || e % every === 0);
      ticks.push({ value, label: shown ? formatTick(value) : "" });
    }
  }
  return ticks;
}

/** Ticks at powers of two from 1 to `most`, for frequencies. */
export function octaveTicks(most: number): Tick[] {
  const ticks: Tick[] = [];
  for (let value = 1; value <= most; value *= 2) ticks.push({ value, label: `${value}` });
  return ticks;
}
