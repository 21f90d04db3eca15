/**
 * The family diffusers-schedulers: trajectories of diffusers' schedulers on a network that is a formula,
 * and their noise tables.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { isEvaluation } from "../../diffusion/moves.ts";
import { alphasOf, type SchedulerConfig } from "./diffusers_noise.ts";
import { PLANS } from "./diffusers_plans.ts";
import {
  budgetOf,
  type CaseName,
  type CaseResult,
  Comparison,
  formulaBudget,
  type GoldenFile,
  maxAbs,
  replay,
  Unsupported,
  unsupported,
} from "./golden.ts";
import type { SchedulerCase, SchedulerPlan } from "./scheduler_case.ts";
import { runInF64, runOnGpu, type SolverRun, type Trace } from "./solver_run.ts";

const FAMILY = "diffusers-schedulers";

interface Errors {
  readonly max_abs_f32_vs_f64: number;
  readonly scale_absmax_f64: number;
}

/** Replays the family. */
export async function* verifySchedulers(
  gpu: Gpu,
  golden: GoldenFile,
): AsyncGenerator<CaseResult> {
  const cases = (golden.manifest.cases ?? {}) as Readonly<Record<string, SchedulerCase>>;
  for (const [name, recorded] of Object.entries(cases)) {
    const caseName = { case: name, family: FAMILY, op: recorded.scheduler };
    yield* replay(caseName, () => verifyCase(gpu, golden, caseName, recorded));
  }
  for (const [name, { config }] of Object.entries(tablesIn(golden))) {
    const caseName = { case: `table/${name}`, family: FAMILY, op: "betas" };
    yield* replay(caseName, () => verifyTable(golden, caseName, name, config));
  }
  yield* verifyForward(golden);
}

function tablesIn(golden: GoldenFile) {
  return (golden.manifest.tables ?? {}) as Readonly<
    Record<string, { readonly config: SchedulerConfig; readonly indices: readonly number[] }>
  >;
}

async function verifyCase(
  gpu: Gpu,
  golden: GoldenFile,
  name: CaseName,
  recorded: SchedulerCase,
): Promise<CaseResult> {
  const plan = PLANS[recorded.scheduler];
  if (!plan) throw new Unsupported(`scheduler ${recorded.scheduler} is not known`);
  const made = plan(recorded);
  const comparison = new Comparison(name.case, name.family, name.op);
  const evaluations = made.moves.filter(isEvaluation);
  const timesteps = made.timesteps ?? evaluations.map(({ timestep }) => timestep);
  const told = golden.get(`${name.case}/timesteps`).data;
  const drift = Math.max(recorded.timesteps_f64_differ_max ?? 0, 1e-7);
  comparison.check("timesteps", timesteps, told, budgetOf(drift, maxAbs(told)));
  if (made.sigmas) {
    const sigmas = golden.get(`${name.case}/sigmas_f64`).data;
    comparison.check("sigmas", made.sigmas, sigmas, formulaBudget(maxAbs(sigmas)));
  }
  const run = runOf(golden, name, recorded, made);
  const errors = (golden.manifest.max_abs_f32_vs_f64 ?? {}) as Readonly<Record<string, Errors>>;
  const compare = (tensor: string, of: keyof Trace, trace: Trace) => {
    const key = `${name.case}/${tensor}`;
    if (!golden.has(key)) return;
    const { max_abs_f32_vs_f64: e, scale_absmax_f64: s } = errors[key]!;
    const expected = golden.get(key).data;
    comparison.check(
      tensor,
      trace[of].flatMap((values) => Array.from(values)),
      expected,
      budgetOf(e, s),
    );
  };
  const trace = await runOnGpu(gpu, run);
  compare("traj", "images", trace);
  compare("x0", "predicted", trace);
  const { max_abs_f32_vs_f64: e, scale_absmax_f64: s } = errors[`${name.case}/traj`]!;
  const exact = runInF64(run).images.at(-1)!;
  comparison.check("final_f64", exact, golden.get(`${name.case}/final_f64`).data, budgetOf(e, s));
  return comparison.result();
}

/** The run of a plan: `coefs` say what the network makes of its input and of mu. */
function runOf(
  golden: GoldenFile,
  { case: name }: CaseName,
  { learned }: SchedulerCase,
  { moves, start, inputScale = () => 1 }: SchedulerPlan,
): SolverRun {
  const coefs = golden.get(`${name}/coefs`).data, mu = golden.get("mu").data;
  const { shape: [samples = 1], data } = golden.get("x_T");
  const z = golden.get("z"), length = data.length;
  return {
    moves,
    start: Float64Array.from(data, (value) => value * start),
    samples,
    network: (c) => ({
      image: coefs[2 * c]! / inputScale(c),
      plus: Float64Array.from(mu, (value) => coefs[2 * c + 1]! * value),
    }),
    noise: (move) => Float64Array.from({ length }, (_, i) => z.data[move * length + i] ?? 0),
    ...learned && { choice: golden.get(`learned/${learned}`).data },
  };
}

function verifyTable(
  golden: GoldenFile,
  { case: name, family, op }: CaseName,
  table: string,
  config: SchedulerConfig,
): CaseResult {
  const comparison = new Comparison(name, family, op);
  const alphas = alphasOf({ beta_start: 1e-4, beta_end: 0.02, ...config });
  const { indices } = tablesIn(golden)[table]!;
  const expected = golden.get(`table/${table}/alphas_cumprod_f64`).data;
  comparison.check("alphas_cumprod", indices.map((i) => alphas[i]!), expected, 1e-12);
  const betas = indices.map((i) => 1 - alphas[i]! / (i === 0 ? 1 : alphas[i - 1]!));
  comparison.check("betas", betas, golden.get(`table/${table}/betas_f64`).data, 1e-12);
  return comparison.result();
}

/** Noised images and velocities. */
async function* verifyForward(golden: GoldenFile): AsyncGenerator<CaseResult> {
  const names = golden.names.filter((name) => /^forward\/[^/]+\//.test(name));
  for (const table of new Set(names.map((name) => name.split("/")[1]!))) {
    const name = { case: `forward/${table}`, family: FAMILY, op: "add_noise" };
    const recorded = tablesIn(golden)[table];
    if (!recorded) {
      yield unsupported(name, `table ${table} is not known`);
      continue;
    }
    yield* replay(name, () => {
      const comparison = new Comparison(name.case, name.family, name.op);
      const alphas = alphasOf({ beta_start: 1e-4, beta_end: 0.02, ...recorded.config });
      const { data: x0 } = golden.get("forward/x0"), { data: e } = golden.get("forward/noise");
      const t = golden.get("forward/t").data, length = x0.length / t.length;
      const power = (i: number) => alphas[t[Math.floor(i / length)]!]!;
      const parts: Readonly<Record<string, (i: number) => number>> = {
        add_noise: (i) => Math.sqrt(power(i)) * x0[i]! + Math.sqrt(1 - power(i)) * e[i]!,
        get_velocity: (i) => Math.sqrt(power(i)) * e[i]! - Math.sqrt(1 - power(i)) * x0[i]!,
      };
      for (const [part, value] of Object.entries(parts)) {
        const key = `forward/${table}/${part}`;
        if (!golden.has(key)) continue;
        const { data } = golden.get(key);
        comparison.check(
          part,
          Array.from(data, (_, i) => value(i)),
          data,
          formulaBudget(maxAbs(data)),
        );
      }
      return comparison.result();
    });
  }
}
