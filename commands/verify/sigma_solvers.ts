/**
 * Solvers in sigma of the family samplers: Euler, Heun, DPM-Solver++ and EDM's with churn.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { isEvaluation, type Move } from "../../diffusion/moves.ts";
import type { Path } from "../../diffusion/path.ts";
import { dpmpp2mMoves } from "../../diffusion/samplers/dpmpp_2m.ts";
import { eulerMoves } from "../../diffusion/samplers/euler.ts";
import { heunMoves } from "../../diffusion/samplers/heun.ts";
import { karrasSigmas } from "./edm_schedules.ts";
import {
  type CaseName,
  type CaseResult,
  Comparison,
  formulaBudget,
  type GoldenFile,
  maxAbs,
  replay,
  Unsupported,
} from "./golden.ts";
import { F64_BUDGET, FAMILY, named, slot } from "./sampler_cases.ts";
import { numbered, recordedPath, stepAt, stopOf } from "./solver_path.ts";
import { runInF64, runOnGpu, type SolverRun } from "./solver_run.ts";

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
export function sigmaPath(sigmas: readonly number[], clip = false): Path {
  const stop = (sigma: number) => stopOf({ signal: 1, noise: sigma }, sigma, "sample");
  const least = sigmas.at(-1)!;
  return recordedPath(sigmas.map(stop), numbered({ signal: 1, noise: 0 }, 0), {
    ...{ clip, at: (sigma: number) => sigma < least ? null : stop(sigma) },
  });
}

/** Replays the runs of solvers on Gaussian data. */
export async function* verifySigmaSolvers(
  gpu: Gpu,
  golden: GoldenFile,
): AsyncGenerator<CaseResult> {
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
