/**
 * The family samplers: spacings, and trajectories of GenerativeZoo's, lucidrains' and the notebook's
 * samplers and of solvers in sigma, on networks that are formulas.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { isEvaluation, type Move, type SamplerStep } from "../../diffusion/moves.ts";
import type { Path } from "../../diffusion/path.ts";
import { ancestralMoves } from "../../diffusion/samplers/ancestral.ts";
import { ddimMoves } from "../../diffusion/samplers/ddim.ts";
import { dpmpp2mMoves } from "../../diffusion/samplers/dpmpp_2m.ts";
import { eulerMoves } from "../../diffusion/samplers/euler.ts";
import { heunMoves } from "../../diffusion/samplers/heun.ts";
import { spaceTimesteps, type SpacingName } from "../../diffusion/spacing.ts";
import { torchLinspace } from "../../diffusion/torch_linspace.ts";
import { evenly } from "./diffusers_noise.ts";
import { karrasSigmas } from "./edm_schedules.ts";
import {
  budgetOf,
  type CaseName,
  type CaseResult,
  Comparison,
  formulaBudget,
  type GoldenFile,
  maxAbs,
  type Recorded,
  replay,
  Unsupported,
  unsupported,
} from "./golden.ts";
import { numbered, recordedPath, stopOf } from "./solver_path.ts";
import { type Formula, runInF64, runOnGpu, type SolverRun } from "./solver_run.ts";

const FAMILY = "samplers";

/** Share of an f64 run's largest image that it may be off. */
const F64_BUDGET = 256 * 2 ** -52;

const named = (name: string, op: string): CaseName => ({ case: name, family: FAMILY, op });

/** Replays the family. */
export async function* verifySamplerFeatures(
  gpu: Gpu,
  golden: GoldenFile,
): AsyncGenerator<CaseResult> {
  yield* verifySpacings(golden);
  const groups = new Set(golden.names.map((name) => name.split("/").slice(0, 2).join("/")));
  for (const group of groups) {
    const [code, part = ""] = group.split("/");
    if (code === "generativezoo") yield* verifyZoo(gpu, golden, group, part);
    else if (code === "lucid") yield* verifyLucid(gpu, golden, group, part);
    else if (code !== "capstone" && code !== "ode" && code !== "elucidated") {
      yield unsupported(named(group, group), `${code} is not known`);
    }
  }
  if (golden.has("capstone/z")) {
    yield* replay(named("capstone", "ancestral"), () => verifyNotebook(gpu, golden));
  }
  yield* verifySigmaSolvers(gpu, golden);
  yield* verifyElucidated(gpu, golden);
}

// Spacings

const SPACINGS: Readonly<Record<string, SpacingName>> = {
  lucid_linspace: "linspace",
  diffusers_linspace: "inclusive",
  diffusers_leading: "leading",
  diffusers_trailing: "trailing",
  ddim_uniform: "uniform",
  ddim_quad: "quadratic",
  generativezoo: "from-last",
};

async function* verifySpacings(golden: GoldenFile): AsyncGenerator<CaseResult> {
  const spacings = (golden.manifest.spacing ?? {}) as Readonly<
    Record<string, Readonly<Record<string, unknown>>>
  >;
  for (const [counts, lists] of Object.entries(spacings)) {
    const [timesteps, steps] = counts.split("->").map(Number);
    for (const [name, expected] of Object.entries(lists)) {
      if (!Array.isArray(expected)) continue;
      const caseName = named(`spacing/${counts}/${name}`, "spacing");
      yield* replay(caseName, () => {
        const [, base, offset = "0"] = /^(.*?)(?:_offset(\d+))?$/.exec(name)!;
        const spacing = SPACINGS[base!];
        if (!spacing) throw new Unsupported(`spacing ${name} is not known`);
        const comparison = new Comparison(caseName.case, FAMILY, "spacing");
        const found = spaceTimesteps(spacing, timesteps!, steps!).map((t) => t + Number(offset));
        comparison.check("timesteps", found, expected, 0);
        return comparison.result();
      });
    }
  }
}

// Samplers that go by timesteps

interface Errors {
  readonly max_abs_f32_vs_f64: number;
  readonly scale_absmax_f64: number;
}

/** The budget of a recorded tensor. */
function budgetFor(golden: GoldenFile, key: string): number {
  const errors = (golden.manifest.max_abs_f32_vs_f64 ?? {}) as Readonly<Record<string, Errors>>;
  const found = errors[key];
  return found
    ? budgetOf(found.max_abs_f32_vs_f64, found.scale_absmax_f64)
    : formulaBudget(maxAbs(golden.get(key).data));
}

/** Slice `i` of a recorded tensor's first axis. */
function slot({ data, shape }: Recorded, i: number): Float64Array {
  const length = data.length / shape[0]!;
  return Float64Array.from({ length }, (_, k) => data[i * length + k]!);
}

/** A path over timesteps of a table of A_t, to the clean image. */
function timestepPath(
  alphas: readonly number[],
  timesteps: readonly number[],
  { prediction = "epsilon", clip = false } = {},
): Path {
  const level = (power: number) => ({ signal: Math.sqrt(power), noise: Math.sqrt(1 - power) });
  const stops = timesteps.map((t) => stopOf(level(alphas[t]!), t, prediction));
  return recordedPath(stops, numbered(level(1), -1), { clip });
}

/** A_t of betas. */
function products(betas: ArrayLike<number>): number[] {
  let product = 1;
  return Array.from(betas, (beta) => product *= 1 - beta);
}

/** A network that is an affine function at each timestep. */
function affine(golden: GoldenFile, group: string, before = 0) {
  const k = golden.get(`${group}/model_k`).data, c = golden.get(`${group}/model_c`).data;
  return (length: number) => (_: number, { timestep }: SamplerStep): Formula => ({
    ...{ image: k[timestep]!, before },
    plus: new Float64Array(length).fill(c[timestep]!),
  });
}

/** Images after each move, the start first, in one list. */
function states(run: SolverRun, images: readonly ArrayLike<number>[]): ArrayLike<number>[] {
  return [run.start, ...images];
}

async function* verifyZoo(
  gpu: Gpu,
  golden: GoldenFile,
  group: string,
  part: string,
): AsyncGenerator<CaseResult> {
  const [, timesteps = 0, steps = 0] = (/^T(\d+)_S(\d+)$/.exec(part) ?? []).map(Number);
  const about =
    (golden.manifest.cases as Record<string, { betas: string; recon_factor: number }>)[group];
  const range = /linspace\(([\d.e-]+),([\d.e-]+),/.exec(about?.betas ?? "");
  if (!about || !range || steps === 0) {
    yield unsupported(named(group, "ddim"), "its steps or betas are not known");
    return;
  }
  const alphas = products(torchLinspace(Number(range[1]), Number(range[2]), timesteps));
  const start = golden.get(`${group}/x_T`), z = golden.get(`${group}/z`);
  const samples = start.shape[0]!, length = start.data.length;
  const network = affine(golden, group)(length);
  const path = timestepPath(alphas, spaceTimesteps("from-last", timesteps, steps));
  const etas = golden.names.filter((name) =>
    name.startsWith(`${group}/eta`) && name.endsWith("/traj")
  );
  for (const key of etas) {
    const name = named(key.replace("/traj", ""), "ddim");
    yield* replay(name, async () => {
      const eta = Number(/eta([\d.]+)/.exec(key)![1]);
      const moves = ddimMoves(path, { eta });
      const run = {
        moves,
        start: start.data,
        samples,
        network,
        noise: (i: number) => slot(z, Math.min(i, z.shape[0]! - 1)),
      };
      const comparison = new Comparison(name.case, FAMILY, name.op);
      const trace = await runOnGpu(gpu, run);
      comparison.check(
        "traj",
        trace.images.flatMap((values) => Array.from(values)),
        golden.get(key).data,
        budgetFor(golden, key),
      );
      const final = golden.get(`${name.case}/final_f64`).data;
      comparison.check("final_f64", runInF64(run).images.at(-1)!, final, budgetFor(golden, key));
      const inner = moves.slice(0, -1);
      comparison.check(
        "c1",
        inner.map(({ noise }) => noise),
        golden.get(`${name.case}/c1`).data,
        1e-6,
      );
      comparison.check(
        "c2",
        inner.map(({ fromF }) => fromF),
        golden.get(`${name.case}/c2`).data,
        1e-6,
      );
      return comparison.result();
    });
  }
  const outlier = named(`${group}/outlier`, "reconstruction");
  if (golden.has(`${outlier.case}/x0`)) {
    yield* replay(outlier, async () => {
      const t0 = Math.floor(timesteps * about.recon_factor) - 1;
      const stride = Math.floor(timesteps / steps);
      const visited = Array.from(
        { length: Math.ceil((t0 + 1) / stride) },
        (_, i) => t0 - i * stride,
      );
      const way = timestepPath(alphas, visited), { signal, noise } = way.stops[0]!;
      const x0 = golden.get(`${outlier.case}/x0`).data,
        e = golden.get(`${outlier.case}/noise`).data;
      const moves: Move[] = [{ renoise: { signal, noise } }, ...ddimMoves(way, { eta: 1 })];
      const run = {
        moves,
        start: x0,
        samples,
        network,
        noise: (i: number) => i === 0 ? e : slot(z, Math.min(i - 1, z.shape[0]! - 1)),
      };
      const { images } = await runOnGpu(gpu, run);
      const comparison = new Comparison(outlier.case, FAMILY, outlier.op);
      const check = (tensor: string, found: ArrayLike<number>, scale: number) => {
        const { data } = golden.get(`${outlier.case}/${tensor}`);
        comparison.check(tensor, found, data, budgetFor(golden, `${group}/eta1.0/traj`) * scale);
      };
      check("x_t0", images[0]!, 1);
      check("reconstruction", images.at(-1)!, 1);
      const scores = scoresOf(x0, images.at(-1)!, samples);
      for (const [kind, values] of Object.entries(scores)) check(`score_${kind}`, values, 2);
      return comparison.result();
    });
  }
  if (golden.has(`${group}/inpaint/mask`)) {
    const reason = "its known part keeps one noise for all steps, where RePaint's is drawn anew";
    yield unsupported(named(`${group}/inpaint`, "inpaint"), reason);
  }
}

/** Mean differences of each sample. */
function scoresOf(a: ArrayLike<number>, b: ArrayLike<number>, samples: number) {
  const length = a.length / samples;
  const mean = (of: (d: number) => number) =>
    Array.from({ length: samples }, (_, n) => {
      let sum = 0;
      for (let i = 0; i < length; i++) sum += of(Math.abs(b[n * length + i]! - a[n * length + i]!));
      return sum / length;
    });
  return {
    l1: mean((d) => d),
    l2: mean((d) => d * d),
    huber: mean((d) => d < 1 ? 0.5 * d * d : d - 0.5),
  };
}

/** lucidrains' schedules, by their defaults. */
const LUCID: Readonly<Record<string, (count: number) => number[]>> = {
  linear: (count) => evenly(1e-4 * 1000 / count, 0.02 * 1000 / count, count),
  cosine: (count) => fromProducts(count, (u) => Math.cos((u + 0.008) / 1.008 * Math.PI / 2) ** 2),
  sigmoid: (count) =>
    fromProducts(count, (u) => 1 / (1 + Math.exp(3)) - 1 / (1 + Math.exp(6 * u - 3))),
};

/** Betas at most 0.999 of a product that is a function of time. */
function fromProducts(count: number, of: (time: number) => number): number[] {
  const values = evenly(0, 1, count + 1).map(of);
  return values.slice(1).map((value, i) => Math.min(Math.max(1 - value / values[i]!, 0), 0.999));
}

const OBJECTIVES: Readonly<Record<string, string>> = {
  pred_noise: "epsilon",
  pred_x0: "sample",
  pred_v: "v_prediction",
};

async function* verifyLucid(
  gpu: Gpu,
  golden: GoldenFile,
  group: string,
  part: string,
): AsyncGenerator<CaseResult> {
  const [, schedule = "", count = "0"] = /^([a-z]+)(\d+)$/.exec(part) ?? [];
  const make = LUCID[schedule], timesteps = Number(count);
  if (!make) {
    yield unsupported(named(group, "lucid"), `schedule ${part} is not known`);
    return;
  }
  const alphas = products(make(timesteps));
  const runs = golden.names.flatMap((name) =>
    name.startsWith(`${group}/`) && name.endsWith("/final") ? [name.replace(/\/final$/, "")] : []
  );
  for (const key of runs) {
    const [, , objective = "", kind = ""] = key.split("/");
    const name = named(key, kind.split("_")[0]!);
    yield* replay(name, async () => {
      const prediction = OBJECTIVES[objective];
      if (!prediction) throw new Unsupported(`objective ${objective} is not known`);
      const eta = /^ddim_eta([\d.]+)/.exec(kind)?.[1];
      if (eta === undefined && !kind.startsWith("ancestral")) {
        throw new Unsupported(`${kind} is not known`);
      }
      const base = `${group}/${objective}`, z = golden.get(`${base}/z`);
      const steps = (golden.manifest.cases as Record<string, { S_ddim: number }>)[group]!.S_ddim;
      const times = eta === undefined
        ? Array.from({ length: timesteps }, (_, i) => timesteps - 1 - i)
        : spaceTimesteps("linspace", timesteps, steps);
      const path = timestepPath(alphas, times, { prediction, clip: true });
      const moves = eta === undefined
        ? ancestralMoves(path, { variance: "fixedsmall" })
        : ddimMoves(path, { eta: Number(eta) });
      const start = slot(z, 0), samples = z.shape[1]!;
      const network = affine(golden, base, kind.endsWith("_selfcond") ? 0.25 : 0)(start.length);
      const run = {
        moves,
        start,
        samples,
        network,
        noise: (i: number) => slot(z, Math.min(i + 1, z.shape[0]! - 1)),
      };
      return await compareLucid(gpu, golden, name, run);
    });
  }
  const interpolated = named(`${group}/interpolate`, "interpolate");
  if (golden.has(`${interpolated.case}/x1`)) {
    yield* replay(interpolated, () => verifyInterpolation(gpu, golden, group, alphas));
  }
}

async function compareLucid(
  gpu: Gpu,
  golden: GoldenFile,
  name: CaseName,
  run: SolverRun,
): Promise<CaseResult> {
  const comparison = new Comparison(name.case, name.family, name.op);
  const traj = golden.names.find((key) => key.startsWith(`${name.case}/traj`))!;
  const every = Number(/every(\d+)$/.exec(traj)?.[1] ?? 1), budget = budgetFor(golden, traj);
  const trace = states(run, (await runOnGpu(gpu, run)).images).filter((_, i) => i % every === 0);
  // Samples first, then states.
  const { shape: [samples = 1, count = 1], data } = golden.get(traj);
  const length = data.length / samples / count;
  const found = Array.from(data, (_, i) => {
    const n = Math.floor(i / (count * length)), state = Math.floor(i / length) % count;
    return trace[state]![n * length + i % length]!;
  });
  comparison.check("traj", found, data, budget);
  comparison.check("final", trace.at(-1)!, golden.get(`${name.case}/final`).data, budget);
  const exact = runInF64(run).images.at(-1)!;
  comparison.check("final_f64", exact, golden.get(`${name.case}/final_f64`).data, budget);
  return comparison.result();
}

/** Two images noised, mixed, and taken back from the timestep below. */
async function verifyInterpolation(
  gpu: Gpu,
  golden: GoldenFile,
  group: string,
  alphas: readonly number[],
): Promise<CaseResult> {
  const { interpolate } = (golden.manifest.cases as Record<
    string,
    { interpolate: { t: number; lam: number; objective: string } }
  >)[group]!;
  const { t, lam, objective } = interpolate, base = `${group}/${objective}`;
  const z = golden.get(`${base}/z`), power = alphas[t]!;
  const noised = (of: string, draw: number) => {
    const x0 = golden.get(`${group}/interpolate/${of}`).data, e = slot(z, draw);
    return Float64Array.from(
      x0,
      (value, i) => Math.sqrt(power) * value + Math.sqrt(1 - power) * e[i]!,
    );
  };
  const a = noised("x1", 0), b = noised("x2", 1);
  const start = a.map((value, i) => (1 - lam) * value + lam * b[i]!);
  const times = Array.from({ length: t }, (_, i) => t - 1 - i);
  const path = timestepPath(alphas, times, { prediction: OBJECTIVES[objective]!, clip: true });
  const run = {
    moves: ancestralMoves(path, { variance: "fixedsmall" }),
    ...{ start, samples: z.shape[1]!, network: affine(golden, base)(start.length) },
    noise: (i: number) => slot(z, Math.min(i + 2, z.shape[0]! - 1)),
  };
  const comparison = new Comparison(`${group}/interpolate`, FAMILY, "interpolate");
  const traj = golden.names.find((name) => name.startsWith(`${base}/ancestral/traj`))!;
  const expected = golden.get(`${group}/interpolate/result`).data;
  const { images } = await runOnGpu(gpu, run);
  comparison.check("result", images.at(-1)!, expected, budgetFor(golden, traj));
  return comparison.result();
}

/** The notebook's sampler: every timestep, unclipped, with the variance of the forward step. */
async function verifyNotebook(gpu: Gpu, golden: GoldenFile): Promise<CaseResult> {
  const z = golden.get("capstone/z"), timesteps = golden.get("capstone/model_k").data.length;
  const alphas = products(torchLinspace(1e-4, 0.02, timesteps));
  const times = Array.from({ length: timesteps }, (_, i) => timesteps - 1 - i);
  const start = slot(z, 0);
  const run = {
    moves: ancestralMoves(timestepPath(alphas, times), { variance: "fixedlarge" }),
    ...{ start, samples: z.shape[1]!, network: affine(golden, "capstone")(start.length) },
    noise: (i: number) => slot(z, Math.min(i + 1, z.shape[0]! - 1)),
  };
  const { images } = await runOnGpu(gpu, run);
  const comparison = new Comparison("capstone", FAMILY, "ancestral");
  const check = (tensor: string, found: ArrayLike<number>) => {
    const { data } = golden.get(`capstone/${tensor}`);
    comparison.check(tensor, found, data, 10 * formulaBudget(maxAbs(data)));
  };
  check("generated", images.at(-1)!);
  if (golden.has("capstone/generated_mid") && timesteps % 2 === 0) {
    check("generated_mid", images[timesteps / 2]!);
  }
  return comparison.result();
}

// Solvers in sigma

interface Ode {
  readonly s: number;
  readonly sigma_min: number;
  readonly sigma_max: number;
  readonly rho: number;
  readonly churn: {
    readonly S_churn: number;
    readonly S_min: number;
    readonly S_max: number;
    readonly S_noise: number;
  };
}

/** A path over sigmas, noise on top of the image, of a network that predicts the image. */
function sigmaPath(sigmas: readonly number[], clip = false): Path {
  const stop = (sigma: number) => stopOf({ signal: 1, noise: sigma }, sigma, "sample");
  const least = sigmas.at(-1)!;
  return recordedPath(sigmas.map(stop), numbered({ signal: 1, noise: 0 }, 0), {
    ...{ clip, at: (sigma: number) => sigma < least ? null : stop(sigma) },
  });
}

async function* verifySigmaSolvers(gpu: Gpu, golden: GoldenFile): AsyncGenerator<CaseResult> {
  const ode = golden.manifest.ode as Ode | undefined;
  const found = golden.names.flatMap((name) =>
    /^ode\/((?:edm|kdiff)_[a-z0-9_]+?(\d+)(_churn)?)\/(?:final|traj)$/.exec(name) ?? []
  );
  const runs = new Set(found.filter((_, i) => i % 4 === 1));
  for (const key of ode ? runs : []) {
    const name = named(`ode/${key}`, key);
    yield* replay(name, async () => {
      const [, solver, count, churned] = /^(.*?)(\d+)(_churn)?$/.exec(key)!;
      const sigmas = karrasSigmas([ode!.sigma_min, ode!.sigma_max], Number(count), ode!.rho);
      const path = sigmaPath(sigmas);
      const { S_churn, S_min, S_max, S_noise } = ode!.churn;
      const churn = churned
        ? { churn: S_churn, churnMin: S_min, churnMax: S_max, churnNoise: S_noise }
        : {};
      const solvers: Readonly<Record<string, () => readonly Move[]>> = {
        edm_heun: () => heunMoves(path, { ...churn, coordinates: "sigma" }),
        kdiff_heun: () => heunMoves(path, { coordinates: "sigma" }),
        kdiff_euler: () => eulerMoves(path, { coordinates: "sigma" }),
        kdiff_dpmpp_2m: () => dpmpp2mMoves(path),
      };
      const solve = solvers[solver!];
      if (!solve) throw new Unsupported(`${solver} is not known`);
      return await compareSigmas(gpu, golden, name, solve(), { ode: ode!, path });
    });
  }
}

async function compareSigmas(
  gpu: Gpu,
  golden: GoldenFile,
  name: CaseName,
  moves: readonly Move[],
  { ode, path }: { readonly ode: Ode; readonly path: Path },
): Promise<CaseResult> {
  const latents = golden.get("ode/latents").data, first = path.stops[0]!.noise;
  const draws = golden.has(`${name.case}/z`) ? golden.get(`${name.case}/z`) : null;
  const run: SolverRun = {
    ...{ moves, samples: 1, start: Float64Array.from(latents, (value) => value * first) },
    network: (_, { timestep: sigma }) => ({
      image: ode.s ** 2 / (ode.s ** 2 + sigma ** 2),
      plus: new Float64Array(latents.length),
    }),
    // The step that a move belongs to draws noise whether or not it adds any.
    noise: (move) =>
      draws ? slot(draws, stepAt(moves, path, move)) : new Float64Array(latents.length),
  };
  const comparison = new Comparison(name.case, FAMILY, name.op);
  const exact = runInF64(run), traced = await runOnGpu(gpu, run);
  const scale = maxAbs(run.start);
  const both = (
    tensor: string,
    expected: ArrayLike<number>,
    of: (trace: typeof exact) => number[],
  ) => {
    comparison.check(`${tensor} in f64`, of(exact), expected, F64_BUDGET * scale);
    comparison.check(tensor, of(traced), expected, formulaBudget(scale));
  };
  const flat = (list: readonly ArrayLike<number>[]) => list.flatMap((values) => Array.from(values));
  if (golden.has(`${name.case}/eval_x`)) {
    both("eval_x", golden.get(`${name.case}/eval_x`).data, ({ asked }) => flat(asked));
    const asked = moves.filter(isEvaluation).map(({ timestep }) => timestep);
    const sigmas = golden.get(`${name.case}/eval_sigma`).data;
    comparison.check("eval_sigma", asked, sigmas, F64_BUDGET * maxAbs(sigmas));
    both(
      "final",
      golden.get(`${name.case}/final`).data,
      ({ images }) => Array.from(images.at(-1)!),
    );
  } else {
    const ends = moves.flatMap((move, i) =>
      isEvaluation(move) && move.keep?.[0] && move.keep.length > 1 ? [] : [i]
    );
    both("traj", golden.get(`${name.case}/traj`).data, ({ images }) => [
      ...run.start as Float64Array,
      ...flat(ends.map((i) => images[i]!)),
    ]);
  }
  return comparison.result();
}

/** The number of the step that a move belongs to: steps begin at the path's stops. */
function stepAt(moves: readonly Move[], { stops }: Path, move: number): number {
  const begun = moves.slice(0, move + 1).filter((m) => !isEvaluation(m)).length;
  const asked = moves.slice(0, move).findLast(isEvaluation);
  const next = stops.findIndex(({ level }) => level === asked?.previous);
  return Math.max(0, asked ? next : begun - 1);
}

/** lucidrains' ElucidatedDiffusion: preconditioned, its results in [0, 1]. */
async function* verifyElucidated(gpu: Gpu, golden: GoldenFile): AsyncGenerator<CaseResult> {
  const about = golden.manifest.elucidated as
    | { steps: number; F: string; sigma_data: number; defaults: string }
    | undefined;
  if (!about) return;
  const option = (key: string) => Number(new RegExp(`${key} ([\\d.]+)`).exec(about.defaults)?.[1]);
  const shares = /^([\d.-]+)\*x \+ ([\d.-]+)\*c_noise$/.exec(about.F);
  const data = about.sigma_data ** 2;
  const z = golden.get("elucidated/z"), samples = z.shape[1]!;
  const sigmas = karrasSigmas(
    [option("sigma_min"), option("sigma_max")],
    about.steps,
    option("rho"),
  );
  const network = (_: number, { timestep: sigma }: SamplerStep): Formula => {
    const power = sigma ** 2 + data, out = sigma * about.sigma_data / Math.sqrt(power);
    return {
      image: data / power + out * Number(shares![1]) / Math.sqrt(power),
      plus: new Float64Array(z.data.length / z.shape[0]!).fill(
        out * Number(shares![2]) * Math.log(sigma) / 4,
      ),
    };
  };
  const churn = {
    ...{ churn: option("S_churn"), churnMin: option("S_tmin") },
    ...{ churnMax: option("S_tmax"), churnNoise: option("S_noise") },
  };
  const clipped = sigmaPath(sigmas, true), open = sigmaPath(sigmas);
  const solvers: Readonly<Record<string, readonly [Path, readonly Move[]]>> = {
    heun: [clipped, heunMoves(clipped, { ...churn, coordinates: "sigma" })],
    dpmpp: [open, dpmpp2mMoves(open)],
  };
  const names = golden.names.filter((name) => /^elucidated\/(heun|dpmpp)/.test(name));
  for (const key of names) {
    const name = named(key, "elucidated");
    yield* replay(name, async () => {
      const found = solvers[key.split("/")[1]!];
      if (!found || !shares) throw new Unsupported(`${key} of ${about.F} is not known`);
      const [path, moves] = found;
      const run: SolverRun = {
        ...{ moves, samples, network, start: slot(z, 0).map((value) => value * sigmas[0]!) },
        noise: (move) => slot(z, 1 + stepAt(moves, path, move)),
      };
      const { images } = await runOnGpu(gpu, run);
      const shown = Array.from(
        images.at(-1)!,
        (value) => (Math.min(1, Math.max(-1, value)) + 1) / 2,
      );
      const comparison = new Comparison(key, FAMILY, name.op);
      comparison.check("images", shown, golden.get(key).data, budgetFor(golden, key));
      return comparison.result();
    });
  }
  if (golden.has("elucidated/loss")) {
    yield unsupported(named("elucidated/loss", "loss"), "losses are replayed with the objectives");
  }
}
