/**
 * Numbers over several draws of a checkpoint, and over several training seeds.
 *
 * @module
 */
import type { Metric } from "../../../metrics/judges/metric.ts";
import { estimate } from "../../../metrics/numerics/statistics.ts";
import { formatTable } from "../../../support/terminal.ts";

/** A metric over draws: `value` is their mean and `spread` their standard deviation. */
export interface DrawnMetric extends Metric {
  /** The number of each draw, where there are several. */
  readonly draws?: readonly number[];
  /** The best of them; NVlabs/edm reports the lowest FID of three draws. */
  readonly best?: number;
}

/** What was found out about a checkpoint. */
export interface Judged {
  /** Its path. */
  readonly checkpoint: string;
  /** Equal for runs that differ by their training seed alone, judged alike. */
  readonly alike: string;
  /** The seed that its run was trained with. */
  readonly seed: number;
  readonly metrics: readonly DrawnMetric[];
}

/** Training seeds of one thing. */
export interface SeedGroup {
  readonly checkpoints: readonly string[];
  readonly metrics: readonly SeedMetric[];
}

/** A metric over training seeds. */
export interface SeedMetric {
  readonly key: string;
  /** Mean of the seeds' values, each of which is the mean of its draws. */
  readonly value: number;
  /** Standard deviation of the seeds' values, n - 1. */
  readonly overSeeds: number;
  /** Standard deviation within a seed, n - 1, the root of the mean square; null of one draw. */
  readonly overDraws: number | null;
}

/** Metrics of the draws of one checkpoint, drawn and judged alike; a single draw's stay as they are. */
export function overDraws(draws: readonly (readonly Metric[])[]): readonly DrawnMetric[] {
  const [first = [], ...others] = draws;
  if (others.length === 0) return first;
  return first.map(({ byClass: _, spread: __, note, ...metric }) => {
    const all = draws.map((found) => found.find(({ key }) => key === metric.key)!.value);
    const { mean, deviation } = estimate(all)!;
    const notes = [`mean of ${all.length} draws`, ...note === undefined ? [] : [note]];
    return {
      ...metric,
      ...{ value: mean, spread: deviation!, draws: all, note: notes.join("; ") },
      best: metric.better === "lower" ? Math.min(...all) : Math.max(...all),
    };
  });
}

/** Groups of checkpoints that differ by their training seed alone, of two and more. */
export function overSeeds(judged: readonly Judged[]): SeedGroup[] {
  const groups = [...Map.groupBy(judged, ({ alike }) => alike).values()];
  const apart = (group: readonly Judged[]) => new Set(group.map(({ seed }) => seed)).size;
  return groups.filter((group) => group.length > 1 && apart(group) === group.length).map((
    group,
  ) => ({
    checkpoints: group.map(({ checkpoint }) => checkpoint),
    metrics: group[0]!.metrics.flatMap(({ key }) => {
      const of = group.flatMap(({ metrics }) => metrics.filter((metric) => metric.key === key));
      if (of.length < group.length) return [];
      const { mean: value, deviation } = estimate(of.map((metric) => metric.value))!;
      const within = of.flatMap(({ draws, spread = 0 }) => draws ? [spread ** 2] : []);
      const square = within.reduce((sum, one) => sum + one, 0) / within.length;
      const inside = within.length < of.length ? null : Math.sqrt(square);
      return [{ key, value, overSeeds: deviation!, overDraws: inside }];
    }),
  }));
}

/**
 * One row a checkpoint, then one a group of seeds; one column a metric.
 *
 * @param best Whether the best draw has a column of its own.
 */
export function judgedTable(
  judged: readonly Judged[],
  groups: readonly SeedGroup[],
  best: boolean,
): string {
  const metrics = new Map(judged.flatMap((one) => one.metrics.map((m) => [m.key, m.label])));
  const number = (value: number) => value.toPrecision(5);
  const spread = (value: number, by: number | undefined) =>
    by === undefined ? number(value) : `${number(value)} +- ${by.toPrecision(2)}`;
  const keys = [...metrics.keys()];
  const head = keys.flatMap((key) => {
    const label = metrics.get(key)!;
    return best ? [label, `${label}, best`] : [label];
  });
  const rows = judged.map((one) => [
    one.checkpoint,
    ...keys.flatMap((key) => {
      const found = one.metrics.find((metric) => metric.key === key);
      const cells = found ? [spread(found.value, found.spread)] : ["-"];
      return best ? [...cells, found?.best === undefined ? "-" : number(found.best)] : cells;
    }),
  ]);
  const seeds = groups.map((group) => [
    `${group.checkpoints.length} training seeds`,
    ...keys.flatMap((key) => {
      const found = group.metrics.find((metric) => metric.key === key);
      const cells = found ? [spread(found.value, found.overSeeds)] : ["-"];
      return best ? [...cells, ""] : cells;
    }),
  ]);
  return formatTable(["checkpoint", ...head], [...rows, ...seeds]);
}
