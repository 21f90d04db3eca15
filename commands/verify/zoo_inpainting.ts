/**
 * GenerativeZoo's inpainting: the way of `inpaint` with the noise of the start kept, taken move by move
 * on the GPU with the recorded noise.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { repaintMoves } from "../../diffusion/inpainting.ts";
import { isEvaluation } from "../../diffusion/moves.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { type CaseName, type CaseResult, Comparison, type GoldenFile } from "./golden.ts";
import { affine, budgetFor, slot } from "./sampler_cases.ts";
import { runOnGpu } from "./solver_run.ts";

/** What a group of cases is recorded with. */
export interface ZooInpainting {
  readonly group: string;
  readonly betas: ArrayLike<number>;
  readonly steps: number;
  readonly eta: number;
}

/** Replays a recorded inpainting of the images that the group's outlier case has. */
export async function verifyZooInpainting(
  gpu: Gpu,
  golden: GoldenFile,
  name: CaseName,
  { group, betas, steps, eta }: ZooInpainting,
): Promise<CaseResult> {
  const process = makeProcess({
    ...{ timesteps: betas.length, schedule: "trained", betaStart: 0, betaEnd: 0 },
    scheduleOptions: { betas: Array.from(betas) },
    ...{ target: "epsilon", weighting: "uniform", variance: "fixedlarge", clipX0: false },
  });
  const sampler = { name: "ddim", steps, eta, spacing: "from-last" } as const;
  const repeats = { resample: 1, jump: 1, knownNoise: "start" } as const;
  const { start, moves } = repaintMoves(process, sampler, repeats);
  const e = golden.get(`${group}/x_T`), z = golden.get(`${group}/z`);
  const clean = golden.get(`${group}/outlier/x0`).data;
  const mask = golden.get(`${group}/inpaint/mask`).data,
    network = affine(golden, group)(mask.length);
  const blend = (x: ArrayLike<number>, { signal, noise }: typeof start) =>
    Float64Array.from(x, (value, i) => {
      return mask[i] === 0 ? value : signal * clean[i]! + noise * e.data[i]!;
    });
  let x = blend(e.data, start);
  for (const [i, move] of moves.entries()) {
    if (!isEvaluation(move)) throw new Error("without resampling no move adds noise");
    const { images: [after] } = await runOnGpu(gpu, {
      ...{ moves: [move], start: x, samples: e.shape[0]!, network },
      noise: () => slot(z, Math.min(i, z.shape[0]! - 1)),
    });
    x = blend(after!, move.known);
  }
  const comparison = new Comparison(name.case, name.family, name.op);
  const result = `${group}/inpaint/result`;
  comparison.check("result", x, golden.get(result).data, budgetFor(golden, result));
  return comparison.result();
}
