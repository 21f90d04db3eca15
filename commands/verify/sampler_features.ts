/**
 * The family samplers: spacings, and trajectories of GenerativeZoo's, lucidrains' and the notebook's
 * samplers and of solvers in sigma, on networks that are formulas.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { ancestralMoves } from "../../diffusion/samplers/ancestral.ts";
import { ddimMoves } from "../../diffusion/samplers/ddim.ts";
import { spaceTimesteps, type SpacingName } from "../../diffusion/spacing.ts";
import { torchLinspace } from "../../diffusion/torch_linspace.ts";
import { verifyElucidated } from "./elucidated.ts";
import {
  type CaseResult,
  Comparison,
  formulaBudget,
  type GoldenFile,
  maxAbs,
  replay,
  Unsupported,
  unsupported,
} from "./golden.ts";
import { verifyLucid } from "./lucid_samplers.ts";
import { affine, budgetFor, FAMILY, named, products, slot, timestepPath } from "./sampler_cases.ts";
import { verifySigmaSolvers } from "./sigma_solvers.ts";
import { runInF64, runOnGpu } from "./solver_run.ts";
import { verifyZooInpainting } from "./zoo_inpainting.ts";
import { verifyZooOutliers } from "./zoo_outliers.ts";

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

/** What is told of GenerativeZoo's cases. */
interface ZooCase {
  readonly betas: string;
  readonly recon_factor: number;
  readonly t0: number;
  readonly eta_of_outlier_and_inpaint?: number;
}

async function* verifyZoo(
  gpu: Gpu,
  golden: GoldenFile,
  group: string,
  part: string,
): AsyncGenerator<CaseResult> {
  const [, timesteps = 0, steps = 0] = (/^T(\d+)_S(\d+)$/.exec(part) ?? []).map(Number);
  const about = (golden.manifest.cases as Record<string, ZooCase>)[group];
  const range = /linspace\(([\d.e-]+),([\d.e-]+),/.exec(about?.betas ?? "");
  if (!about || !range || steps === 0) {
    yield unsupported(named(group, "ddim"), "its steps or betas are not known");
    return;
  }
  const betas = torchLinspace(Number(range[1]), Number(range[2]), timesteps);
  const alphas = products(betas);
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
  const { recon_factor: factor, t0, eta_of_outlier_and_inpaint: eta = 1 } = about;
  const common = { group, betas, steps, eta };
  if (golden.has(`${group}/outlier/x0`)) {
    const name = named(`${group}/outlier`, "reconstruction");
    yield* replay(name, () => verifyZooOutliers(gpu, golden, name, { ...common, factor, t0 }));
  }
  if (golden.has(`${group}/inpaint/mask`)) {
    const name = named(`${group}/inpaint`, "inpaint");
    yield* replay(name, () => verifyZooInpainting(gpu, golden, name, common));
  }
}

/** Betas of the notebook's cases, first and last. */
const NOTEBOOK_BETAS = [1e-3, 0.2] as const;

/** The notebook's sampler: every timestep, unclipped, with the variance of the forward step. */
async function verifyNotebook(gpu: Gpu, golden: GoldenFile): Promise<CaseResult> {
  const z = golden.get("capstone/z"), timesteps = golden.get("capstone/model_k").data.length;
  // The manifest tells the betas of GenerativeZoo's cases; the notebook's are the same.
  const alphas = products(torchLinspace(...NOTEBOOK_BETAS, timesteps));
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
    check("generated_mid", images[timesteps / 2 - 1]!);
  }
  return comparison.result();
}
