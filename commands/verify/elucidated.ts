/**
 * The parts of the family samplers that are lucidrains' ElucidatedDiffusion: preconditioned, on a network
 * that is a formula, with sigma as its time.
 *
 * @module
 */
import { Graph } from "../../autograd/graph.ts";
import { givenLevels } from "../../autograd/network_inputs.ts";
import { add } from "../../autograd/ops/add.ts";
import { scale } from "../../autograd/ops/scale.ts";
import type { Gpu } from "../../device/gpu.ts";
import { reshape } from "../../device/tensor.ts";
import type { Denoiser } from "../../diffusion/denoiser.ts";
import type { Move, SamplerStep } from "../../diffusion/moves.ts";
import { Objective } from "../../diffusion/objective.ts";
import { DIFFUSION, type DiffusionOptions } from "../../diffusion/options.ts";
import type { Path } from "../../diffusion/path.ts";
import { edmPreconditioning } from "../../diffusion/preconditionings/edm.ts";
import { processOn } from "../../diffusion/process.ts";
import { dpmpp2mMoves } from "../../diffusion/samplers/dpmpp_2m.ts";
import { heunMoves } from "../../diffusion/samplers/heun.ts";
import { continuousSchedule } from "../../diffusion/schedules/continuous.ts";
import { withDefaults } from "../../support/options.ts";
import {
  type CaseName,
  type CaseResult,
  Comparison,
  type GoldenFile,
  replay,
  Unsupported,
} from "./golden.ts";
import { runOn } from "./objective_parts.ts";
import { budgetFor, FAMILY, named, slot } from "./sampler_cases.ts";
import { karrasSigmas } from "./edm_schedules.ts";
import { sigmaPath } from "./sigma_solvers.ts";
import { stepAt } from "./solver_path.ts";
import { type Formula, runOnGpu, type SolverRun } from "./solver_run.ts";

/** lucidrains' ElucidatedDiffusion: preconditioned, its results in [0, 1]. */
export async function* verifyElucidated(gpu: Gpu, golden: GoldenFile): AsyncGenerator<CaseResult> {
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
    const name = named("elucidated/loss", "loss");
    yield* replay(name, () => {
      if (!shares) throw new Unsupported(`the network ${about.F} is not known`);
      const [x, condition] = [Number(shares[1]), Number(shares[2])];
      return verifyLoss(gpu, golden, name, { sigmaData: about.sigma_data, x, condition });
    });
  }
}

/** The loss a sample of a preconditioned network that is a share of its input and one of its level. */
async function verifyLoss(
  gpu: Gpu,
  golden: GoldenFile,
  name: CaseName,
  { sigmaData, x: share, condition }: Readonly<Record<"sigmaData" | "x" | "condition", number>>,
): Promise<CaseResult> {
  const sigmas = Array.from(golden.get("elucidated/train_sigmas").data);
  const values = [...new Set(sigmas)].sort((a, b) => a - b);
  const schedule = continuousSchedule({
    values,
    level: (noise) => ({ signal: 1, noise }),
    condition: (sigma) => edmPreconditioning().at(sigma).condition,
    place: () => values.toReversed(),
  });
  const defaults = withDefaults(DIFFUSION) as DiffusionOptions;
  const options: DiffusionOptions = { ...defaults, target: "edm", sigmaData };
  const objective = new Objective(gpu, processOn(schedule, options), options);
  const images = golden.get("elucidated/train_images01"), z = golden.get("elucidated/z");
  const upload = (data: ArrayLike<number>) =>
    gpu.tensor([...images.shape], { data: Float32Array.from(data) });
  const found = await runOn(gpu, (capture) => {
    const denoise: Denoiser = (graph, { x, level }) => {
      const told = graph.constant(reshape(givenLevels(graph, level), [sigmas.length, 1, 1, 1]));
      return add(scale(x, share), scale(told, condition));
    };
    const { loss } = objective.judge(new Graph(capture), {
      ...{
        x0: upload(Array.from(images.data, (value) => 2 * value - 1)),
        noise: upload(slot(z, 0)),
      },
      timesteps: gpu.tensor([sigmas.length], {
        ...{ dtype: "u32", data: Uint32Array.from(sigmas, (sigma) => values.indexOf(sigma)) },
      }),
      ...{ denoise, perSample: true },
    });
    return { loss: loss.ref };
  });
  objective.destroy();
  const comparison = new Comparison(name.case, FAMILY, name.op);
  comparison.check("loss", found.loss!, golden.get(name.case).data, budgetFor(golden, name.case));
  return comparison.result();
}
