/**
 * GenerativeZoo's outlier detection: the way of the command `outliers`, noise up to t0 and back, with the
 * recorded noise, and the scores that come of it.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { reconstructionMoves } from "../../diffusion/reconstruction.ts";
import { reconstructionScores, SCORE_NAMES } from "../../metrics/judges/roc.ts";
import { type CaseName, type CaseResult, Comparison, type GoldenFile } from "./golden.ts";
import { affine, budgetFor, FAMILY, slot } from "./sampler_cases.ts";
import { runOnGpu } from "./solver_run.ts";

/** What a group of cases is recorded with. */
export interface ZooOutliers {
  readonly group: string;
  readonly betas: ArrayLike<number>;
  readonly steps: number;
  readonly eta: number;
  /** t0 as a share of the timesteps. */
  readonly factor: number;
  readonly t0: number;
}

/** Replays a recorded reconstruction and its scores. */
export async function verifyZooOutliers(
  gpu: Gpu,
  golden: GoldenFile,
  name: CaseName,
  { group, betas, steps, eta, factor, t0 }: ZooOutliers,
): Promise<CaseResult> {
  const process = makeProcess({
    ...{ timesteps: betas.length, schedule: "trained", betaStart: 0, betaEnd: 0 },
    scheduleOptions: { betas: Array.from(betas) },
    ...{ target: "epsilon", weighting: "uniform", variance: "fixedlarge", clipX0: false },
  });
  const sampler = { name: "ddim", steps, eta, spacing: "trailing" } as const;
  const { timestep, level: { signal, noise }, moves } = reconstructionMoves(
    process,
    sampler,
    factor,
  );
  const z = golden.get(`${group}/z`), e = golden.get(`${name.case}/noise`).data;
  const { data: x0, shape } = golden.get(`${name.case}/x0`), samples = shape[0]!;
  const { images } = await runOnGpu(gpu, {
    moves: [{ renoise: { signal, noise } }, ...moves],
    ...{ start: x0, samples, network: affine(golden, group)(x0.length) },
    noise: (i) => i === 0 ? e : slot(z, Math.min(i - 1, z.shape[0]! - 1)),
  });
  const comparison = new Comparison(name.case, FAMILY, name.op);
  const budget = budgetFor(golden, `${group}/eta1.0/traj`);
  const check = (tensor: string, found: ArrayLike<number>, most: number) =>
    comparison.check(tensor, found, golden.get(`${name.case}/${tensor}`).data, most);
  comparison.check("t0", [timestep], [t0], 0);
  check("x_t0", images[0]!, budget);
  check("reconstruction", images.at(-1)!, budget);
  const [before, after] = [x0, images.at(-1)!].map((values) => Float32Array.from(values));
  for (const score of SCORE_NAMES) {
    const found = reconstructionScores(score, before!, after!, x0.length / samples);
    check(`score_${score}`, found, 2 * budget);
  }
  return comparison.result();
}
