/**
 * Samplers of lucidrains' code in the family samplers: ancestral, DDIM, self-conditioned and between
 * two images.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { ancestralMoves } from "../../diffusion/samplers/ancestral.ts";
import { ddimMoves } from "../../diffusion/samplers/ddim.ts";
import { spaceTimesteps } from "../../diffusion/spacing.ts";
import { evenly } from "./diffusers_noise.ts";
import {
  type CaseName,
  type CaseResult,
  Comparison,
  type GoldenFile,
  replay,
  Unsupported,
  unsupported,
} from "./golden.ts";
import {
  affine,
  budgetFor,
  FAMILY,
  named,
  products,
  slot,
  states,
  timestepPath,
} from "./sampler_cases.ts";
import { runInF64, runOnGpu, type SolverRun } from "./solver_run.ts";
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

/** Replays the runs of a schedule. */
export async function* verifyLucid(
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
