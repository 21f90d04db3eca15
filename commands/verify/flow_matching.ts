/**
 * The family flow-matching: trajectories of solvers along the straight line from noise to image, on the
 * velocity of Gaussian data.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { isEvaluation } from "../../diffusion/moves.ts";
import {
  COORDINATES,
  EULER,
  rungeKutta,
  secondOrder,
  type Tableau,
  THREE_EIGHTHS,
} from "../../diffusion/samplers/runge_kutta.ts";
import {
  budgetOf,
  type CaseName,
  type CaseResult,
  Comparison,
  type GoldenFile,
  replay,
  Unsupported,
} from "./golden.ts";
import { recordedPath, stopOf } from "./solver_path.ts";
import { runInF64, runOnGpu, type SolverRun } from "./solver_run.ts";

const FAMILY = "flow-matching";

/** Methods as the manifest names them. */
const METHODS: Readonly<Record<string, Tableau>> = {
  euler: EULER,
  midpoint: secondOrder(1 / 2),
  heun2: secondOrder(1),
  rk4: THREE_EIGHTHS,
};

interface OdeCase {
  readonly method: string;
  readonly eval_t: readonly number[];
}

/** Replays the trajectories. */
export async function* verifyFlowSolvers(
  gpu: Gpu,
  golden: GoldenFile,
): AsyncGenerator<CaseResult> {
  const { ode } = (golden.manifest.cases ?? {}) as {
    readonly ode?: { readonly data_std: number; readonly cases: Readonly<Record<string, OdeCase>> };
  };
  for (const [name, recorded] of Object.entries(ode?.cases ?? {})) {
    const caseName = { case: name, family: FAMILY, op: recorded.method };
    yield* replay(caseName, () => verifyOde(gpu, golden, caseName, recorded, ode!.data_std));
  }
}

async function verifyOde(
  gpu: Gpu,
  golden: GoldenFile,
  name: CaseName,
  { method, eval_t: asked }: OdeCase,
  std: number,
): Promise<CaseResult> {
  const tableau = METHODS[method];
  if (!tableau) throw new Unsupported(`method ${method} is not known`);
  const grid = name.case.replace(`ode/${method}_`, "ode/");
  const times = Array.from(golden.get(`${grid}/times`).data);
  const stop = (time: number) => stopOf({ signal: 1 - time, noise: time }, time, "flow_prediction");
  const stops = times.map(stop), end = stops.pop()!;
  const path = recordedPath(stops, end, { at: (sigma) => stop(sigma / (1 + sigma)) });
  const moves = rungeKutta(path, { tableau, coordinates: COORDINATES.flow });
  const mu = golden.get("ode/mu").data, { data: start, shape } = golden.get("ode/x_T");
  const run: SolverRun = {
    ...{ moves, start, samples: shape[0]! },
    network(_, { timestep: t }) {
      const power = (1 - t) ** 2 * std ** 2 + t ** 2;
      return {
        image: (t - (1 - t) * std ** 2) / power,
        plus: Float64Array.from(mu, (value) => -t / power * value),
      };
    },
  };
  const comparison = new Comparison(name.case, name.family, name.op);
  const levels = moves.filter(isEvaluation).map(({ timestep }) => timestep);
  comparison.check("eval_t", levels, asked, 1e-11);
  const errors = golden.manifest.max_abs_f32_vs_f64 as Readonly<
    Record<string, { max_abs_f32_vs_f64: number; scale_absmax_f64: number }>
  >;
  const { max_abs_f32_vs_f64: e, scale_absmax_f64: s } = errors[`${name.case}/traj`]!;
  const stages = tableau.nodes.length;
  const trace = await runOnGpu(gpu, run);
  const steps = trace.images.filter((_, i) => i % stages === stages - 1);
  const traj = [start, ...steps].flatMap((values) => Array.from(values));
  comparison.check("traj", traj, golden.get(`${name.case}/traj`).data, budgetOf(e, s));
  const final = golden.get(`${name.case}/final_f64`).data;
  comparison.check("final_f64", runInF64(run).images.at(-1)!, final, 1e-12);
  return comparison.result();
}
