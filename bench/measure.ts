/**
 * Timing: every case is checked before it is timed, and samples of all cases take turns, so that what
 * else the machine does spreads over all of them.
 *
 * @module
 */
import type { Gpu } from "../device/gpu.ts";
import type { BenchCase, BenchOptions, BenchRun, Ceiling } from "./bench_case.ts";

/** One number. */
export interface Measurement {
  readonly case: string;
  /** The median of the samples. */
  readonly value: number;
  readonly unit: string;
  /** The best sample; absent where there is one sample only. */
  readonly best?: number;
  /** Milliseconds of a call, the median. */
  readonly ms?: number;
  /** Share of the adapter's limit, 0 to 1; null where there is none. */
  readonly ofCeiling: number | null;
  /** Bytes that the dispatches move, as a multiple of those that must be moved, of rates in bytes. */
  readonly ofLeast?: number;
}

/** A case that was refused, and why. */
export interface Failure {
  readonly case: string;
  readonly error: string;
}

/** What a run of the benchmarks gives. */
export type Outcome = Measurement | Failure;

/** How a run measures. */
export interface MeasureOptions extends BenchOptions {
  /** Samples of each case, at least 1. */
  readonly rounds: number;
  /** Milliseconds that a sample aims at; a call that takes longer is a sample. */
  readonly sampleMs: number;
  /** Seconds after which no further round begins; there is one at least. Unlimited unless given. */
  readonly seconds?: number | undefined;
  /** Told what is going on. */
  readonly say?: (line: string) => void;
  /** Milliseconds; for tests. */
  readonly now?: () => number;
}

/** Most calls of a sample. */
const MOST_CALLS = 200;

type Clock = () => number;

/** The GPU, as far as timing needs it. */
export type TimedGpu = Pick<Gpu, "finish">;

interface Ready {
  readonly bench: BenchCase;
  readonly run: BenchRun;
  readonly firstMs: number;
  readonly calls: number;
  readonly dispatches: number | undefined;
  /** Seconds of a call. */
  readonly samples: number[];
  /** Microseconds of encoding and submitting a dispatch. */
  readonly encodes: number[];
}

/**
 * Checks and measures cases.
 *
 * @returns In the order of the cases; each is followed by its first call (`.first`) and, for whole
 *   steps, by the number of its dispatches and the time to encode one.
 */
export async function measure(
  gpu: Gpu,
  cases: readonly BenchCase[],
  options: MeasureOptions,
): Promise<Outcome[]> {
  const { now = () => performance.now(), rounds, seconds = Infinity } = options;
  const end = now() + 1e3 * seconds;
  const outcomes = new Map<string, Failure>();
  const list: Ready[] = [];
  for (const bench of cases) {
    options.say?.(`checking ${bench.name}`);
    try {
      list.push(await prepare(gpu, bench, options, now));
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      outcomes.set(bench.name, { case: bench.name, error: message });
    }
  }
  for (let round = 0; round < rounds && (round === 0 || now() < end); round++) {
    options.say?.(`round ${round + 1} of ${rounds}`);
    for (const ready of list) await sample(gpu, ready, now);
  }
  const limits = ceilingsOf(list);
  const results = cases.flatMap((bench): Outcome[] => {
    const ready = list.find((other) => other.bench === bench);
    return ready ? summarise(ready, limits) : [outcomes.get(bench.name)!];
  });
  for (const { run } of list) run.destroy();
  return results;
}

async function prepare(
  gpu: Gpu,
  bench: BenchCase,
  options: MeasureOptions,
  now: Clock,
): Promise<Ready> {
  const run = await bench.open(gpu, options);
  try {
    await gpu.finish();
    const start = now();
    await run.start();
    await run.run();
    await gpu.finish();
    const firstMs = now() - start;
    await run.validate();
    const dispatches = await run.dispatches?.();
    await timeCalls(gpu, run, 1, now);
    const once = await timeCalls(gpu, run, 1, now);
    const calls = Math.max(1, Math.min(MOST_CALLS, Math.round(options.sampleMs / (1e3 * once))));
    return { bench, run, firstMs, calls, dispatches, samples: [], encodes: [] };
  } catch (error) {
    run.destroy();
    throw error;
  }
}

/** Seconds of a call, from `calls` of them. */
async function timeCalls(gpu: TimedGpu, run: BenchRun, calls: number, now: Clock): Promise<number> {
  await gpu.finish();
  const start = now();
  for (let i = 0; i < calls; i++) {
    const done = run.run();
    if (done) await done;
  }
  await gpu.finish();
  return (now() - start) / 1e3 / calls;
}

async function sample(gpu: TimedGpu, ready: Ready, now: Clock): Promise<void> {
  const { run, calls, dispatches, samples, encodes } = ready;
  samples.push(await timeCalls(gpu, run, calls, now));
  if (dispatches === undefined) return;
  const start = now();
  const done = run.run();
  encodes.push((now() - start) * 1e3 / dispatches);
  await done;
  await gpu.finish();
}

/** The middle of a list that is not empty; the lower one of two. */
export function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1]!;
}

/** Work a second at the adapter's limits, by the medians of what measures them. */
function ceilingsOf(list: readonly Ready[]): Map<Ceiling, number> {
  const limits = new Map<Ceiling, number>();
  for (const { bench: { measures }, run: { work = 0 }, samples } of list) {
    if (!measures) continue;
    limits.set(measures, Math.max(limits.get(measures) ?? 0, work / median(samples)));
  }
  return limits;
}

function summarise(ready: Ready, limits: ReadonlyMap<Ceiling, number>): Measurement[] {
  const { bench: { name, unit, ceiling }, run: { work, moved }, firstMs, dispatches } = ready;
  const seconds = median(ready.samples);
  const limit = ceiling && limits.get(ceiling);
  const results: Measurement[] = [
    {
      case: name,
      value: inUnit(ready, seconds),
      unit,
      best: inUnit(ready, Math.min(...ready.samples)),
      ms: 1e3 * seconds,
      ofCeiling: limit && work !== undefined ? work / seconds / limit : null,
      ...unit === "GB/s" && moved && work ? { ofLeast: moved() / work } : {},
    },
    { case: `${name}.first`, value: firstMs, unit: "ms", ofCeiling: null },
  ];
  if (dispatches !== undefined) {
    results.push(
      { case: `${name}.dispatches`, value: dispatches, unit: "dispatches", ofCeiling: null },
      {
        case: `${name}.encode`,
        value: median(ready.encodes),
        unit: "us/dispatch",
        best: Math.min(...ready.encodes),
        ofCeiling: null,
      },
    );
  }
  const memory = ready.run.memory?.();
  if (memory !== undefined) {
    const value = memory / 2 ** 20;
    results.push({ case: `${name}.memory`, value, unit: "MiB", ofCeiling: null });
  }
  return results;
}

function inUnit({ bench: { unit }, run: { work = 0, parts = 1 } }: Ready, seconds: number): number {
  switch (unit) {
    case "GFLOP/s":
    case "GB/s":
      return work / seconds / 1e9;
    case "s/step":
      return seconds / parts;
    case "ms":
      return 1e3 * seconds / parts;
    case "us":
      return 1e6 * seconds / parts;
  }
}

/**
 * The cases whose name contains one of the texts of `filter`, separated by commas, with the limits that
 * they are held against.
 *
 * @throws {RangeError} When no case does.
 */
export function selectCases(cases: readonly BenchCase[], filter: string): BenchCase[] {
  const parts = filter.split(",");
  const chosen = new Set(cases.filter(({ name }) => parts.some((part) => name.includes(part))));
  if (chosen.size === 0) {
    throw new RangeError(
      `Cannot find a benchmark: the filter must be part of one of ${
        cases.map(({ name }) => name).join(", ")
      }, got ${filter}`,
    );
  }
  const limits = new Set([...chosen].map(({ ceiling }) => ceiling));
  return cases.filter((bench) =>
    chosen.has(bench) || (bench.measures !== undefined && limits.has(bench.measures))
  );
}
