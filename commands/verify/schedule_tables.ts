/**
 * The family schedules: noise schedules and time embeddings of four code bases.
 *
 * @module
 */
import { makePosterior, reverseLogVariance } from "../../diffusion/posterior.ts";
import type { Schedule } from "../../diffusion/schedule.ts";
import { makeSchedule } from "../../diffusion/schedules/registry.ts";
import { sinusoidTable } from "../../model/time_embedding.ts";
import { caseOf, checkRounded, checkTable, type Json, TABLE_BUDGET } from "./feature_checks.ts";
import { type CaseResult, formulaBudget, type GoldenFile, replay, Unsupported } from "./golden.ts";

const FAMILY = "schedules";
const LUCID = { linear: "linear-scaled", cosine: "cosine", sigmoid: "sigmoid" } as const;
const KWARGS: Readonly<Record<string, string>> = {
  s: "cosineOffset",
  start: "sigmoidStart",
  end: "sigmoidEnd",
  tau: "sigmoidTau",
};

/** Replays the family. */
export async function* verifyScheduleTables(golden: GoldenFile): AsyncGenerator<CaseResult> {
  const groups = new Set(golden.names.map((name) => name.split("/").slice(0, 2).join("/")));
  const embeddings = golden.names.filter((name) => name.startsWith("temb/"));
  for (const group of groups) {
    if (group.startsWith("temb/")) continue;
    const name = { case: group, family: FAMILY, op: "schedule" };
    yield* replay(name, () => verifySchedule(golden, group));
  }
  const name = { case: "temb", family: FAMILY, op: "time_embedding" };
  yield* replay(name, () => verifyEmbeddings(golden, embeddings));
}

/** The schedule of a group, with our own rounding where the recorded code has some. */
function scheduleOf(golden: GoldenFile, group: string, rounded: boolean): Schedule {
  const [code, key = ""] = group.split("/");
  const found = /^(linear|cosine|sigmoid)(\d+)/.exec(key);
  const known = (golden.manifest.cases as Json)[group] as Json | undefined;
  if (!found) throw new Unsupported(`schedule ${key} is not known`);
  const kind = found[1] as keyof typeof LUCID, timesteps = Number(found[2]);
  const betas = { betaStart: 1e-4, betaEnd: 0.02 };
  if (code === "lucid") {
    const kwargs = (known?.kwargs ?? {}) as Json;
    const own: Record<string, unknown> = { sigmoidRounded: rounded };
    for (const [key, value] of Object.entries(kwargs)) {
      // What is clamped there lies far below what the schedule reaches.
      if (key === "clamp_min") continue;
      if (!(key in KWARGS)) throw new Unsupported(`${key} of ${group} is not known`);
      own[KWARGS[key]!] = value;
    }
    return makeSchedule({ timesteps, schedule: LUCID[kind], ...betas, scheduleOptions: own });
  }
  if (kind !== "linear" || (code !== "generativezoo" && code !== "capstone")) {
    throw new Unsupported(`schedules of ${code} are not known`);
  }
  const { beta_start: betaStart = 1e-4, beta_end: betaEnd = 0.02 } = (known ?? {}) as {
    beta_start?: number;
    beta_end?: number;
  };
  const schedule = rounded ? "linear-torch" : "linear";
  return makeSchedule({ timesteps, schedule, betaStart, betaEnd });
}

async function* verifySchedule(golden: GoldenFile, group: string) {
  const names = golden.names.filter((name) => name.startsWith(`${group}/`));
  const exact = tablesOf(scheduleOf(golden, group, false));
  const rounded = tablesOf(scheduleOf(golden, group, true));
  // A beta is what is left of 1 when a number near 1 is taken away.
  const budget = Math.max(TABLE_BUDGET, 4 * 2 ** -52 / Math.min(...exact.betas!));
  yield* caseOf({ case: group, family: FAMILY, op: "schedule" }, names, (comparison, done) => {
    for (const name of names) {
      const [kind = "", table = kind] = name.slice(group.length + 1).split("/");
      const expected = golden.get(name).data;
      const of = kind === "exact" ? exact : rounded;
      const ours = kind === "repo_betas_f64" ? of.betas : of[table];
      if (!ours) continue;
      done(name);
      // The last levels have lost all but a billionth of the signal: so much of a table is round-off.
      if (kind === "exact" || kind === "repo_betas_f64") {
        checkTable(comparison, name, ours, expected, 1e-6, budget);
      } else if (kind === "repo_buffer") {
        comparison.check(name, ours.map(Math.fround), expected, bufferBudget(expected));
      } else {
        const recorded = exact[table] ?? ours;
        checkRounded(comparison, name, ours, expected, recorded);
      }
    }
  });
}

function bufferBudget(expected: ArrayLike<number>): number {
  return formulaBudget(
    Array.from(expected).reduce((most, value) => Math.max(most, Math.abs(value)), 0),
  );
}

/** Our tables under the names of all code bases. */
function tablesOf(schedule: Schedule): Readonly<Record<string, Float64Array>> {
  const posterior = makePosterior(schedule);
  const { levels } = schedule;
  const table = (value: (level: typeof levels[number]) => number) =>
    Float64Array.from(levels, value);
  const ours = {
    betas: schedule.betas,
    alphas: schedule.alphas,
    alphas_bar: schedule.alphasCumprod,
    alphas_cumprod: schedule.alphasCumprod,
    alphas_cumprod_prev: schedule.alphasCumprodPrev,
    sqrt_alphas_cumprod: schedule.sqrtAlphasCumprod,
    sqrt_one_minus_alphas_cumprod: schedule.sqrtOneMinusAlphasCumprod,
    log_one_minus_alphas_cumprod: table(({ noisePower }) => Math.log(noisePower)),
    sqrt_recip_alphas_cumprod: schedule.sqrtRecipAlphasCumprod,
    sqrt_recipm1_alphas_cumprod: schedule.sqrtRecipm1AlphasCumprod,
    sqrt_one_by_alphas: schedule.alphas.map((alpha) => 1 / Math.sqrt(alpha)),
    snr: table(({ signalPower, noisePower }) => signalPower / noisePower),
    posterior_variance: posterior.variance,
    posterior_mean_coef1: posterior.meanFromX0,
    posterior_mean_coef2: posterior.meanFromXt,
    posterior_log_variance_clipped: posteriorLogVariance(schedule),
  };
  return ours;
}

/** Clamped at 1e-20 there, which timestep 0 alone reaches. */
function posteriorLogVariance(schedule: Schedule): Float64Array {
  return reverseLogVariance(schedule, "fixedsmall").map((value, t) =>
    t === 0 ? Math.log(1e-20) : value
  );
}

/** Columns of each code base's embedding from pairs of sine and cosine. */
const EMBEDDINGS: Readonly<
  Record<string, { shift: 0 | 1; column: (i: number, half: number) => number }>
> = {
  interleaved: { shift: 0, column: (i) => i },
  guided: { shift: 0, column: (i, half) => i < half ? 2 * i + 1 : 2 * (i - half) },
  lucid: { shift: 1, column: (i, half) => i < half ? 2 * i : 2 * (i - half) + 1 },
};

async function* verifyEmbeddings(golden: GoldenFile, names: readonly string[]) {
  yield* caseOf(
    { case: "temb", family: FAMILY, op: "time_embedding" },
    names,
    (comparison, done) => {
      for (const name of names) {
        const [, kind = "", width = "", f64] = /^temb\/([a-z]+)(\d+)(_f64)?$/.exec(name) ?? [];
        if (kind === "t") done(name);
        const known = EMBEDDINGS[kind];
        if (!known || !golden.has(`temb/t${width}`)) continue;
        done(name);
        const half = Math.floor(Number(width) / 2);
        const timesteps = Array.from(golden.get(`temb/t${width}`).data);
        const table = sinusoidTable(Math.max(...timesteps) + 1, 2 * half, known.shift);
        const ours = timesteps.flatMap((t) =>
          Array.from(
            { length: Number(width) },
            (_, i) => i < 2 * half ? table[t * 2 * half + known.column(i, half)]! : 0,
          )
        );
        const expected = golden.get(name).data;
        if (f64) comparison.check(name, ours, expected, formulaBudget(1));
        else checkRounded(comparison, name, ours, expected, golden.get(`${name}_f64`).data);
      }
    },
  );
}
