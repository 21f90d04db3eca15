/**
 * Recorded pipelines of diffusers: a directory as the hub has it, taken over by the product's loader,
 * and the images that its schedulers make of given noise.
 *
 * @module
 */
import { join } from "node:path";
import { Graph } from "../../autograd/graph.ts";
import type { Arena } from "../../device/arena.ts";
import type { Gpu } from "../../device/gpu.ts";
import { isEvaluation, type Move } from "../../diffusion/moves.ts";
import { linearCombination } from "../../kernels/process/q_sample.ts";
import { namedParameters } from "../../model/module.ts";
import type { Network } from "../../model/network.ts";
import { createArena, parameterSlots, writeArenas } from "../../model/parameters.ts";
import { listNamedFolder } from "../../support/files.ts";
import { readDiffusers } from "../shared/checkpoints/diffusers.ts";
import { type DiffusersFiles, findDiffusers } from "../shared/checkpoints/diffusers_files.ts";
import type { SchedulerConfig } from "./diffusers_noise.ts";
import { PLANS } from "./diffusers_plans.ts";
import { checkRecorded } from "./feature_checks.ts";
import {
  budgetOf,
  type CaseName,
  type CaseResult,
  Comparison,
  type GoldenFile,
  maxAbs,
  replay,
  Unsupported,
} from "./golden.ts";
import { fromTorch, IMAGE, toTorch } from "./layout.ts";
import type { SchedulerPlan } from "./scheduler_case.ts";
import { runNetwork, type Trace } from "./solver_run.ts";

/** The family's name. */
export const PIPELINES = "pipelines";

/** A run of a manifest: a scheduler, with what is not its default. */
interface RecordedRun {
  readonly scheduler: string;
  readonly config: SchedulerConfig;
  readonly steps: number;
  readonly timesteps: readonly number[];
  readonly step_kwargs?: Readonly<Record<string, unknown>>;
}

/** What every scheduler takes where its config is silent. */
const SHARED: SchedulerConfig = {
  ...{ num_train_timesteps: 1000, beta_start: 1e-4, beta_end: 0.02, beta_schedule: "linear" },
  ...{ trained_betas: null, prediction_type: "epsilon", steps_offset: 0 },
  ...{ rescale_betas_zero_snr: false, thresholding: false },
  ...{ dynamic_thresholding_ratio: 0.995, sample_max_value: 1 },
};
const COUNTED = { timestep_spacing: "leading", clip_sample: true, clip_sample_range: 1 };
const SOLVER = { timestep_spacing: "linspace", solver_order: 2, lower_order_final: true };
const SIGMAS = { timestep_spacing: "linspace", beta_start: 0.00085, beta_end: 0.012 };

/** What each takes besides. */
const DEFAULTS: Readonly<Record<string, SchedulerConfig>> = {
  DDPMScheduler: { ...COUNTED, variance_type: "fixed_small" },
  DDIMScheduler: { ...COUNTED, set_alpha_to_one: true },
  PNDMScheduler: { timestep_spacing: "leading", set_alpha_to_one: false, skip_prk_steps: false },
  DPMSolverMultistepScheduler: {
    ...{ ...SOLVER, algorithm_type: "dpmsolver++", solver_type: "midpoint" },
    ...{ euler_at_final: false, final_sigmas_type: "zero" },
  },
  UniPCMultistepScheduler: {
    ...{ ...SOLVER, solver_type: "bh2", predict_x0: true },
    ...{ disable_corrector: [], final_sigmas_type: "zero" },
  },
  DEISMultistepScheduler: SOLVER,
  EulerDiscreteScheduler: { timestep_spacing: "linspace", final_sigmas_type: "zero" },
  EulerAncestralDiscreteScheduler: { timestep_spacing: "linspace" },
  HeunDiscreteScheduler: { ...SIGMAS, clip_sample: false, clip_sample_range: 1 },
  LMSDiscreteScheduler: { timestep_spacing: "linspace" },
};

/** Replays the runs of a pipeline. */
export async function* verifyPipeline(
  gpu: Gpu,
  golden: GoldenFile,
  name: string,
  directory: string,
): AsyncGenerator<CaseResult> {
  const files = await findDiffusers(directory);
  if (!files) throw new Unsupported(`${directory} holds no model that is known`);
  const { network, ema } = await readDiffusers(files, { overrides: [] });
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  for (const [parameter] of namedParameters(network)) values.set(parameter, await ema(parameter));
  const weights = createArena(gpu, "weights", network);
  writeArenas(gpu, [weights], values);
  for (const [tag, run] of Object.entries(golden.manifest.runs as Record<string, RecordedRun>)) {
    const one = { case: `${name}/${tag}`, family: PIPELINES, op: run.scheduler };
    yield* replay(one, () => verifyRun(gpu, golden, one, { tag, run, network, weights }));
  }
  weights.destroy(gpu);
  for (const { name: file } of await listNamedFolder("verify", files.folder)) {
    const path = join(files.folder, file);
    if (path === files.weights || !/\.(bin|safetensors)$/.test(file)) continue;
    const one = { case: `${name}/${file}`, family: PIPELINES, op: "weights" };
    yield* replay(one, () => verifyCopy({ ...files, weights: path }, one, values));
  }
}

/** Holds another file of the same weights to those that were read. */
async function verifyCopy(
  files: DiffusersFiles,
  { case: name, family, op }: CaseName,
  values: ReadonlyMap<string, Float32Array>,
): Promise<CaseResult> {
  const comparison = new Comparison(name, family, op);
  const { weights } = await readDiffusers(files, { overrides: [] });
  for (const [parameter, expected] of values) {
    comparison.check(parameter, await weights(parameter), expected, 0);
  }
  return comparison.result();
}

/** What a run needs. */
interface Running {
  readonly tag: string;
  readonly run: RecordedRun;
  readonly network: Network;
  readonly weights: Arena;
}

async function verifyRun(
  gpu: Gpu,
  golden: GoldenFile,
  { case: name, family, op }: CaseName,
  running: Running,
): Promise<CaseResult> {
  const { tag, run } = running;
  const plan = PLANS[run.scheduler], defaults = DEFAULTS[run.scheduler];
  if (!plan || !defaults) throw new Unsupported(`scheduler ${run.scheduler} is not known`);
  const made = plan({
    ...{ scheduler: run.scheduler, config_full: { ...SHARED, ...defaults, ...run.config } },
    ...{ set_timesteps: { num_inference_steps: run.steps }, step_kwargs: run.step_kwargs ?? {} },
    learned: null,
  });
  const comparison = new Comparison(name, family, op);
  const timesteps = timestepsOf(made);
  comparison.check("timesteps", timesteps, run.timesteps, budgetOf(1e-7, maxAbs(run.timesteps)));
  const { images } = await trace(gpu, golden, running, made, timesteps);
  const { shape } = golden.get("x_T");
  const torch = images.map((image) => toTorch(image, shape, IMAGE));
  checkRecorded(golden, comparison, `${tag}/traj`, torch.flatMap((image) => Array.from(image)));
  const last = Array.from(torch.at(-1)!, (x) => Math.min(1, Math.max(0, x / 2 + 0.5)));
  checkRecorded(golden, comparison, `${tag}/image`, last);
  return comparison.result();
}

/** What the network is told, by evaluation. */
function timestepsOf({ moves, timesteps }: SchedulerPlan): readonly number[] {
  return timesteps ?? moves.filter(isEvaluation).map(({ timestep }) => timestep);
}

async function trace(
  gpu: Gpu,
  golden: GoldenFile,
  { network, weights }: Running,
  { moves, start, inputScale = () => 1 }: SchedulerPlan,
  timesteps: readonly number[],
): Promise<Trace> {
  const { data, shape } = fromTorch(golden.get("x_T"), IMAGE);
  const [samples = 1, height = 1, width = 1, channels = 1] = shape;
  const whole = timesteps.every(Number.isInteger);
  const draws = drawsOf(moves);
  const z = golden.get("z");
  return await runNetwork(gpu, {
    ...{ moves, shape: [samples, height, width, channels] },
    start: Float64Array.from(data, (value) => value * start),
    noise(move) {
      const draw = draws[move]!;
      if (draw === null) return new Float32Array(data.length);
      const own = Array.from(data, (_, i) => z.data[draw * data.length + i]!);
      return fromTorch({ data: own, shape: z.shape.slice(1) }, IMAGE).data;
    },
    record(capture, { x }) {
      const graph = new Graph(capture, { parameters: parameterSlots(network, weights) });
      const scaled = linearCombination(capture, capture.input("places", [samples], "u32"), [
        { table: capture.input("scale", [1]), x },
      ]);
      const level = capture.input("level", [samples], whole ? "u32" : "f32");
      return network.forward(graph, { x: graph.constant(scaled), level }).ref;
    },
    inputs(evaluation) {
      const level = Array<number>(samples).fill(timesteps[evaluation]!);
      return {
        ...{ places: new Uint32Array(samples), scale: [1 / inputScale(evaluation)] },
        level: whole ? Uint32Array.from(level) : Float32Array.from(level),
      };
    },
  });
}

/** Which of the drawn noises each move takes; null where it takes none. */
function drawsOf(moves: readonly Move[]): (number | null)[] {
  let drawn = 0;
  return moves.map((move) => !isEvaluation(move) || move.noise !== 0 ? drawn++ : null);
}
