/**
 * What the cases of the family samplers have in common.
 *
 * @module
 */
import type { SamplerStep } from "../../diffusion/moves.ts";
import type { Path } from "../../diffusion/path.ts";
import {
  budgetOf,
  type CaseName,
  formulaBudget,
  type GoldenFile,
  maxAbs,
  type Recorded,
} from "./golden.ts";
import { numbered, recordedPath, stopOf } from "./solver_path.ts";
import type { Formula, SolverRun } from "./solver_run.ts";

export const FAMILY = "samplers";

/** Share of an f64 run's largest image that it may be off. */
export const F64_BUDGET = 256 * 2 ** -52;

export const named = (name: string, op: string): CaseName => ({ case: name, family: FAMILY, op });

interface Errors {
  readonly max_abs_f32_vs_f64: number;
  readonly scale_absmax_f64: number;
}

/** The budget of a recorded tensor. */
export function budgetFor(golden: GoldenFile, key: string): number {
  const errors = (golden.manifest.max_abs_f32_vs_f64 ?? {}) as Readonly<Record<string, Errors>>;
  const found = errors[key];
  return found
    ? budgetOf(found.max_abs_f32_vs_f64, found.scale_absmax_f64)
    : formulaBudget(maxAbs(golden.get(key).data));
}

/** Slice `i` of a recorded tensor's first axis. */
export function slot({ data, shape }: Recorded, i: number): Float64Array {
  const length = data.length / shape[0]!;
  return Float64Array.from({ length }, (_, k) => data[i * length + k]!);
}

/** A path over timesteps of a table of A_t, to the clean image. */
export function timestepPath(
  alphas: readonly number[],
  timesteps: readonly number[],
  { prediction = "epsilon", clip = false } = {},
): Path {
  const level = (power: number) => ({ signal: Math.sqrt(power), noise: Math.sqrt(1 - power) });
  const stops = timesteps.map((t) => stopOf(level(alphas[t]!), t, prediction));
  return recordedPath(stops, numbered(level(1), -1), { clip });
}

/** A_t of betas. */
export function products(betas: ArrayLike<number>): number[] {
  let product = 1;
  return Array.from(betas, (beta) => product *= 1 - beta);
}

/** A network that is an affine function at each timestep. */
export function affine(golden: GoldenFile, group: string, before = 0) {
  const k = golden.get(`${group}/model_k`).data, c = golden.get(`${group}/model_c`).data;
  return (length: number) => (_: number, { timestep }: SamplerStep): Formula => ({
    ...{ image: k[timestep]!, before },
    plus: new Float64Array(length).fill(c[timestep]!),
  });
}

/** Images after each move, the start first, in one list. */
export function states(run: SolverRun, images: readonly ArrayLike<number>[]): ArrayLike<number>[] {
  return [run.start, ...images];
}
