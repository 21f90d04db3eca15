/**
 * Noise schedules of the family diffusion, made from the options that its manifest names.
 *
 * @module
 */
import { SCHEDULE_NAMES, type ScheduleName } from "../../diffusion/options.ts";
import { makePosterior, reverseLogVariance } from "../../diffusion/posterior.ts";
import type { Schedule } from "../../diffusion/schedule.ts";
import { makeSchedule } from "../../diffusion/schedules/registry.ts";
import {
  type CaseResult,
  Comparison,
  type GoldenFile,
  replay,
  Unsupported,
  unsupported,
} from "./golden.ts";

/** Relative budget of f64 tables, which span many orders of magnitude. */
const TABLE_BUDGET = 1e-12;

type Options = Parameters<typeof makeSchedule>[0];
type RecordedOptions = Readonly<Record<string, unknown>>;

const DEFAULTS = { betaStart: 1e-4, betaEnd: 0.02 };
const KEYS: readonly string[] = ["schedule", "timesteps", "betaStart", "betaEnd"];

const isScheduleName = (name: unknown): name is ScheduleName =>
  (SCHEDULE_NAMES as readonly unknown[]).includes(name);

/**
 * A recorded schedule by its name in the file.
 *
 * @throws {Unsupported} When the manifest does not say how it is made, or in a way not known here.
 */
export function scheduleOf(golden: GoldenFile, name: string): Schedule {
  const options = allOptions(golden)[name];
  if (!options) throw new Unsupported(`the manifest has no schedule_options of ${name}`);
  const { schedule } = options;
  if (!isScheduleName(schedule)) throw new Unsupported(`schedule ${schedule} is not known`);
  const strange = Object.keys(options).find((key) => !KEYS.includes(key));
  if (strange) throw new Unsupported(`option ${strange} of schedule ${name} is not known`);
  return makeSchedule({ ...DEFAULTS, ...options } as Options);
}

/**
 * The schedule that a part of the manifest speaks of.
 *
 * @throws {Unsupported} When it names none, or one that is not known.
 */
export function scheduleNamedIn(golden: GoldenFile, part: string): Schedule {
  const text = String(golden.manifest[part]);
  const name = Object.keys(allOptions(golden)).find((name) => text.split(/[^\w]+/).includes(name));
  if (!name) throw new Unsupported(`the manifest names no known schedule for ${part}`);
  return scheduleOf(golden, name);
}

function allOptions(golden: GoldenFile): Readonly<Record<string, RecordedOptions>> {
  return (golden.manifest.schedule_options ?? {}) as Record<string, RecordedOptions>;
}

/** Compares every table of every schedule. */
export async function* verifySchedules(golden: GoldenFile): AsyncGenerator<CaseResult> {
  const names = golden.names.filter((name) => name.startsWith("schedule/"));
  for (const schedule of new Set(names.map((name) => name.split("/")[1]!))) {
    const caseName = { case: `schedule.${schedule}`, family: "diffusion", op: "schedule" };
    const recorded = names.filter((name) => name.split("/")[1] === schedule);
    yield* replay(caseName, () => verifyTables(golden, schedule, recorded));
  }
}

function* verifyTables(
  golden: GoldenFile,
  schedule: string,
  recorded: readonly string[],
): Generator<CaseResult> {
  const caseName = { case: `schedule.${schedule}`, family: "diffusion", op: "schedule" };
  const tables = tablesOf(scheduleOf(golden, schedule));
  const comparison = new Comparison(caseName.case, caseName.family, caseName.op);
  for (const name of recorded) {
    const table = name.split("/").slice(2).join("/");
    const actual = tables[table];
    if (!actual) {
      yield unsupported(
        { ...caseName, case: `${caseName.case}.${table}` },
        `${table} is not known`,
      );
      continue;
    }
    const expected = golden.get(name).data;
    let worst = actual.length === expected.length ? 0 : Infinity;
    for (let i = 0; i < actual.length; i++) {
      const error = Math.abs(actual[i]! - expected[i]!) / (Math.abs(expected[i]!) || 1);
      worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
    }
    comparison.note(name, worst, TABLE_BUDGET, worst <= TABLE_BUDGET);
  }
  yield comparison.result();
}

/** Our tables under the recorded names. */
function tablesOf(schedule: Schedule): Readonly<Record<string, ArrayLike<number>>> {
  const posterior = makePosterior(schedule);
  return {
    betas: schedule.betas,
    alphas_bar: schedule.alphasCumprod,
    alphas_bar_prev: schedule.alphasCumprodPrev,
    sqrt_alphas_bar: schedule.sqrtAlphasCumprod,
    sqrt_one_minus_alphas_bar: schedule.sqrtOneMinusAlphasCumprod,
    sqrt_recip_alphas_bar: schedule.sqrtRecipAlphasCumprod,
    sqrt_recipm1_alphas_bar: schedule.sqrtRecipm1AlphasCumprod,
    posterior_var: posterior.variance,
    posterior_mean_coef1: posterior.meanFromX0,
    posterior_mean_coef2: posterior.meanFromXt,
    posterior_log_var_clipped: reverseLogVariance(schedule, "fixedsmall"),
    fixedlarge_log_var: reverseLogVariance(schedule, "fixedlarge"),
  };
}
