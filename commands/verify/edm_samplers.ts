/**
 * The families edm-samplers and edm2-sampler: the samplers of Karras et al. 2022 (arXiv 2206.00364) and
 * of EDM2, on networks that are formulas.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { isEvaluation, type Move } from "../../diffusion/moves.ts";
import type { Path } from "../../diffusion/path.ts";
import {
  COORDINATES,
  type Coordinates,
  EULER,
  rungeKutta,
  secondOrder,
} from "../../diffusion/samplers/runge_kutta.ts";
import { ablationSchedule, ablationSigmas, karrasSigmas, nearest } from "./edm_schedules.ts";
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
} from "./golden.ts";
import { numbered, recordedPath, stepAt, stopOf } from "./solver_path.ts";
import { type Formula, runInF64, runOnGpu, type SolverRun } from "./solver_run.ts";

type Options = Readonly<Record<string, unknown>>;

/** A recorded call of a sampler. */
interface SamplerCase {
  readonly function?: string;
  readonly kwargs_full: Options;
  readonly net?: string;
  readonly limits?: readonly [number, number] | null;
}

/** A number that is recorded as such, or as a word. */
const number = (value: unknown) => Number(value);

/** Share of an f64 run's largest image that its end may be off. */
const F64_BUDGET = 256 * 2 ** -52;

/** Levels and moves of a recorded call. */
interface Way {
  readonly path: Path;
  readonly moves: readonly Move[];
  /** Whether the recorded code found its sigmas in f32. */
  readonly inF32: boolean;
  /**
   * Whether it goes from sigmas to times and back before every step. What that rounds off sigma^2 it adds
   * as noise of that variance.
   */
  readonly throughTimes: boolean;
}

/** Replays edm_sampler and ablation_sampler. */
export async function* verifyEdmSamplers(
  gpu: Gpu,
  golden: GoldenFile,
): AsyncGenerator<CaseResult> {
  const std = Number(golden.manifest.data_std);
  for (const [name, given] of casesOf(golden)) {
    const caseName = { case: name, family: "edm-samplers", op: given.function ?? "" };
    yield* replay(caseName, async () => {
      const way = wayOf(golden, given);
      const mu = golden.get("mu").data, z = golden.get("z");
      const run = runOf(way, golden.get("latents"), {
        network: ({ sigma, signal }) => gaussian(std, mu, sigma, signal),
        noise: (step) => slot(z, step),
      });
      return await verifyRun(gpu, golden, caseName, way, run);
    });
  }
}

/** Replays EDM2's edm_sampler, with a network that guides. */
export async function* verifyEdm2Sampler(
  gpu: Gpu,
  golden: GoldenFile,
): AsyncGenerator<CaseResult> {
  const { net_std: std, guide_std: guideStd } = golden.manifest;
  for (const [name, given] of casesOf(golden)) {
    const caseName = { case: name, family: "edm2-sampler", op: "edm_sampler" };
    yield* replay(caseName, async () => {
      const way = wayOf(golden, { ...given, function: "edm_sampler" });
      const own = golden.get("mu").data, guide = golden.get("mu_guide").data;
      const guidance = number(given.kwargs_full.guidance), z = golden.get("z");
      const run = runOf(way, golden.get("noise"), {
        network({ sigma }) {
          const main = gaussian(Number(std), own, sigma),
            other = gaussian(Number(guideStd), guide, sigma);
          const mix = (a: number, b: number) => b + guidance * (a - b);
          return {
            image: mix(main.image, other.image),
            plus: Float64Array.from(main.plus, (value, i) => mix(value, other.plus[i]!)),
          };
        },
        // Drawn only where noise is added.
        noise: (_, draw) => slot(z, draw),
      });
      return await verifyRun(gpu, golden, caseName, way, run);
    });
  }
}

function casesOf(golden: GoldenFile): [string, SamplerCase][] {
  return Object.entries((golden.manifest.cases ?? {}) as Readonly<Record<string, SamplerCase>>);
}

/** The best network for Gaussian data: (s^2 x + sigma^2 mu) / (s^2 + sigma^2). */
function gaussian(std: number, mu: ArrayLike<number>, sigma: number, signal = 1): Formula {
  const power = std ** 2 + sigma ** 2;
  return {
    image: std ** 2 / power / signal,
    signal,
    plus: Float64Array.from(mu, (value) => sigma ** 2 * value / power),
  };
}

/** Slice `i` of recorded noise. */
function slot({ data, shape }: { data: ArrayLike<number>; shape: readonly number[] }, i: number) {
  const length = data.length / shape[0]!;
  return Float64Array.from({ length }, (_, k) => data[i * length + k]!);
}

function wayOf(golden: GoldenFile, given: SamplerCase): Way {
  const { kwargs_full: kwargs, limits, net = "plain" } = given;
  if (net !== "plain" && net !== "iddpm") throw new Unsupported(`network ${net} is not known`);
  const table = net === "iddpm" ? golden.get("iddpm/u").data : null;
  const recorded = golden.manifest.iddpm_limits as readonly [number, number] | undefined;
  const [least, most] = limits ?? (table ? recorded! : [0, Infinity]);
  const ends = (low: number, high: number) => [Math.max(low, least), Math.min(high, most)] as const;
  const round = (sigma: number) => table ? nearest(table, sigma) : sigma;
  if (given.function === "edm_sampler") {
    const sigmas = karrasSigmas(
      ends(number(kwargs.sigma_min), number(kwargs.sigma_max)),
      number(kwargs.num_steps),
      number(kwargs.rho),
    ).map(round);
    return along(kwargs, sigmas, round, { signal: () => 1, coordinates: COORDINATES.sigma });
  }
  if (given.function !== "ablation_sampler") {
    throw new Unsupported(`function ${given.function} is not known`);
  }
  const range = ablationSigmas.range(kwargs);
  const found = ends(range[0], range[1]);
  const schedule = ablationSchedule(kwargs, found);
  const sigmas = ablationSigmas.steps(kwargs, found).map(round);
  return along(kwargs, sigmas, round, schedule);
}

/** The path over sigmas, and the sampler's moves. */
function along(
  kwargs: Options,
  sigmas: readonly number[],
  round: (sigma: number) => number,
  { signal, coordinates }: {
    signal(sigma: number): number;
    readonly coordinates: Coordinates;
  },
): Way {
  const stop = (sigma: number) =>
    stopOf({ signal: signal(sigma), noise: signal(sigma) * sigma }, sigma, "sample");
  const last = sigmas.at(-1)!;
  const path = recordedPath(
    sigmas.map(stop),
    numbered({ signal: 1, noise: 0 }, 0),
    // Nothing is asked in the last step but where it begins.
    { at: (sigma) => sigma >= last ? stop(round(sigma)) : null },
  );
  const alpha = number(kwargs.alpha ?? 1);
  const tableau = kwargs.solver === "euler" ? EULER : secondOrder(alpha);
  const churn = {
    ...{ churn: number(kwargs.S_churn), churnMin: number(kwargs.S_min) },
    ...{ churnMax: number(kwargs.S_max), churnNoise: number(kwargs.S_noise) },
  };
  return {
    path,
    moves: rungeKutta(path, { tableau, coordinates, churn }),
    inF32: kwargs.discretization === "iddpm",
    throughTimes: (kwargs.schedule ?? "linear") !== "linear",
  };
}

/** The run of a way: `noise` is told the step and how often noise was drawn before. */
function runOf(
  { path, moves }: Way,
  latents: { readonly data: ArrayLike<number>; readonly shape: readonly number[] },
  { network, noise }: {
    network(at: { readonly sigma: number; readonly signal: number }): Formula;
    noise(step: number, draw: number): ArrayLike<number>;
  },
): SolverRun {
  const first = path.stops[0]!;
  const signals = new Map(path.stops.map(({ level, signal }) => [level, signal]));
  return {
    moves,
    start: Float64Array.from(latents.data, (value) => value * first.noise),
    samples: latents.shape[0]!,
    network: (_, step) => {
      const signal = signals.get(step.timestep) ?? path.at(step.timestep)?.signal ?? 1;
      return network({ sigma: step.timestep, signal });
    },
    noise: (move) =>
      noise(stepAt(moves, path, move), moves.slice(0, move).filter((m) => !isEvaluation(m)).length),
  };
}

async function verifyRun(
  gpu: Gpu,
  golden: GoldenFile,
  name: CaseName,
  { moves, inF32, throughTimes }: Way,
  run: SolverRun,
): Promise<CaseResult> {
  const comparison = new Comparison(name.case, name.family, name.op);
  const sigmas = golden.get(`${name.case}/eval_sigma`).data;
  const asked = moves.filter(isEvaluation).map(({ timestep }) => timestep);
  const tight = (scale: number) => inF32 ? budgetOf(0, scale) : F64_BUDGET * scale;
  comparison.check("eval_sigma", asked, sigmas, tight(maxAbs(sigmas)));
  const seen = golden.get(`${name.case}/eval_x`).data, scale = maxAbs(seen);
  const exact = runInF64(run), traced = await runOnGpu(gpu, run);
  // The network gets images without the scale of their signal.
  const flat = (list: readonly ArrayLike<number>[]) =>
    list.flatMap((values, i) => {
      const signal = run.network(i, moves.filter(isEvaluation)[i]!).signal ?? 1;
      return Array.from(values, (value) => value / signal);
    });
  // Recorded as f32.
  comparison.check("eval_x in f64", flat(exact.asked), seen, budgetOf(0, scale));
  comparison.check("eval_x", flat(traced.asked), seen, formulaBudget(scale));
  const inF64 = golden.has(`${name.case}/out_f64`) ? `${name.case}/out_f64` : `${name.case}/out`;
  const out = golden.get(inF64).data;
  const noise = throughTimes ? 4 * Math.sqrt(2 ** -52) * scale : 0;
  comparison.check("out in f64", exact.images.at(-1)!, out, Math.max(noise, tight(scale)));
  const errors = golden.manifest.max_abs_f32_vs_f64 as
    | Readonly<Record<string, { max_abs_f32_vs_f64: number; scale_absmax_f64: number }>>
    | undefined;
  const recorded = errors?.[`${name.case}/out`];
  const final = traced.images.at(-1)!;
  if (recorded) {
    const { max_abs_f32_vs_f64: e, scale_absmax_f64: s } = recorded;
    comparison.check("out", final, golden.get(`${name.case}/out`).data, budgetOf(e, s));
  } else {
    comparison.check(
      "out",
      final,
      out,
      formulaBudget(maxAbs(out) * moves.length),
    );
  }
  return comparison.result();
}
