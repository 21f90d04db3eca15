/**
 * Judges checkpoints one after another, each by one draw or several, and tells what came out.
 *
 * @module
 */
import { join } from "node:path";
import { judge, type Metric, type Reference } from "../../../metrics/judges/compare.ts";
import type { FeatureExtractor } from "../../../metrics/judges/features/features.ts";
import type { MetricName } from "../../../metrics/judges/options.ts";
import { atomicWrite, ensureFolder } from "../../../support/files.ts";
import { formatTable } from "../../../support/terminal.ts";
import type { Collective } from "../../../training/collective.ts";
import { collect } from "./collect.ts";
import { type DrawnMetric, type Judged, judgedTable, overDraws, overSeeds } from "./draws.ts";
import type { Subject } from "./subject.ts";

/** The JSON of an evaluation. */
function reportJson(
  { about, name }: Subject,
  reference: Reference,
  metrics: readonly Metric[],
  facts: { readonly count: number; readonly draws: number; readonly features: string | null },
): string {
  const { count, draws, features } = facts;
  const subject = { name, ...about, count, ...draws > 1 && { draws } };
  return formatJson({ subject, ...againstJson(reference, features), metrics: byKey(metrics) });
}

const formatJson = (value: unknown) => `${JSON.stringify(value, null, 2)}\n`;

const againstJson = ({ name, count }: Reference, features: string | null) => ({
  reference: { name, count },
  features,
});

const byKey = (metrics: readonly Metric[]) =>
  Object.fromEntries(metrics.map(({ key, label: _, ...rest }) => [key, rest]));

/** What a command line says of it. */
export interface JudgementOptions {
  /** Seed of the first image. */
  readonly seed: number;
  readonly keep: number;
  readonly ddof: number;
  readonly protocol: "edm" | undefined;
  /** Where the JSON of several together goes. */
  readonly out: string | undefined;
}

/** What is the same for all that is judged. */
export interface Judgement {
  readonly options: JudgementOptions;
  readonly metrics: readonly MetricName[];
  readonly draws: number;
  readonly extractor: FeatureExtractor | null;
  readonly reference: Reference;
  readonly signal: AbortSignal;
  readonly collective: Collective;
  /** Whether what is taken in stays until all is done, as more is to come. */
  readonly keepState: boolean;
  readonly say: (line: string) => void;
  /** Files of what is taken in, which go once all is done. */
  readonly states: string[];
}

/**
 * Judges a subject, and writes its report to `out`; null when it was asked to stop. Of several
 * processes the first alone has numbers.
 */
export async function judgeSubject(
  subject: Subject,
  count: number,
  out: string,
  judgement: Judgement,
): Promise<readonly DrawnMetric[] | null> {
  const { options, metrics, draws, extractor, reference, collective, say } = judgement;
  const { signal, keepState } = judgement;
  const { source, sourceFrom, name } = subject, { keep, seed } = options;
  const ddof = options.ddof === 1 ? 1 : 0;
  await ensureFolder(join(out, ".."));
  const found: Metric[][] = [];
  for (let draw = 0; draw < draws; draw++) {
    const drawn = draw === 0 ? source : sourceFrom!(seed + draw * count);
    const state = draw === 0 ? `${out}.state` : `${out}.draw-${draw + 1}.state`;
    const label = draws === 1 ? "eval" : `eval, draw ${draw + 1} of ${draws}`;
    judgement.states.push(state);
    const side = await collect(drawn, {
      ...{ metrics, extractor, keep, signal, collective, say, label, count, state, keepState },
    });
    if (!side) return null;
    if (collective.rank > 0) continue;
    found.push(await judge(side, reference, { metrics, ddof }, draw === 0 ? say : () => {}));
  }
  const drawn = overDraws(found);
  if (collective.rank > 0) return drawn;
  if (drawn.length === 0) {
    throw new RangeError(`Cannot judge ${name}: there must be a metric that can be computed`);
  }
  const facts = { count, draws, features: extractor?.name ?? null };
  await atomicWrite(out, reportJson(subject, reference, drawn, facts));
  return drawn;
}

/** Shows and writes what is known of all together. */
export async function finish(judged: readonly Judged[], judgement: Judgement): Promise<void> {
  const { options, reference, extractor, draws, say } = judgement;
  const groups = overSeeds(judged);
  if (judged.length > 1) {
    say(judgedTable(judged, groups, options.protocol === "edm"));
  }
  if (judged.length > 1 && options.out !== undefined) {
    const checkpoints = judged.map(({ alike: _, metrics, ...rest }) => ({
      ...rest,
      metrics: byKey(metrics),
    }));
    const seeds = groups.map(({ checkpoints, metrics }) => ({
      checkpoints,
      metrics: Object.fromEntries(metrics.map(({ key, ...rest }) => [key, rest])),
    }));
    const against = againstJson(reference, extractor?.name ?? null);
    await atomicWrite(options.out, formatJson({ draws, ...against, checkpoints, seeds }));
    say(`Wrote ${options.out}`);
  }
  for (const state of judgement.states) await Deno.remove(state).catch(() => {});
}

/** A table of metrics for a person. */
export function metricsTable(
  metrics: readonly DrawnMetric[],
  protocol: string | undefined,
): string {
  const number = (value: number) => value.toPrecision(5);
  const rows = metrics.flatMap(({ label, value, spread, better, features, note, draws, best }) => {
    const made = [features ?? "no features", note].filter((part) => part !== undefined).join("; ");
    const shown = spread === undefined
      ? number(value)
      : `${number(value)} +- ${spread.toPrecision(2)}`;
    const row = [label, shown, better, made];
    if (protocol === undefined || best === undefined) return [row];
    const source = features ?? "no features";
    return [row, [`${label}, best of ${draws!.length}`, number(best), better, source]];
  });
  return formatTable(["metric", "value", "better", "made with"], rows);
}
