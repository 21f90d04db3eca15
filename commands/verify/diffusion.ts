/**
 * The family diffusion: noise schedules, q(x_t | x_0), p(x_{t-1} | x_t) and whole sampling trajectories.
 *
 * @module
 */
import { Graph } from "../../autograd/graph.ts";
import { ancestralSteps } from "../../diffusion/ancestral.ts";
import { ddimSteps } from "../../diffusion/ddim.ts";
import type { SpacingName, TargetName, VarianceName } from "../../diffusion/options.ts";
import { makePosterior, reverseLogVariance } from "../../diffusion/posterior.ts";
import type { SamplerStep } from "../../diffusion/sampler_step.ts";
import { makeSchedule, type Schedule } from "../../diffusion/schedule.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import { copyInto } from "../../kernels/elementwise/add.ts";
import { qSample } from "../../kernels/process/q_sample.ts";
import {
  SAMPLER_SCALARS,
  samplerScalars,
  samplerStep,
} from "../../kernels/process/sampler_step.ts";
import { parameterSlots } from "../../model/parameters.ts";
import {
  budgetOf,
  type CaseResult,
  Comparison,
  formulaBudget,
  type GoldenFile,
  maxAbs,
  type Recorded,
} from "./golden.ts";
import { fromTorch, IMAGE, toTorch } from "./layout.ts";
import { recordedNetwork, recordedWeights } from "./networks.ts";

const FAMILY = "diffusion";

/** The recorded schedules. */
const SCHEDULES: Readonly<Record<string, Parameters<typeof makeSchedule>[0]>> = {
  linear1000_repo: { schedule: "linear-torch", timesteps: 1000, betaStart: 1e-4, betaEnd: 0.02 },
  linear1000_f64: { schedule: "linear", timesteps: 1000, betaStart: 1e-4, betaEnd: 0.02 },
  cosine1000: { schedule: "cosine", timesteps: 1000, betaStart: 1e-4, betaEnd: 0.02 },
  linear20_repo: { schedule: "linear-torch", timesteps: 20, betaStart: 1e-4, betaEnd: 0.02 },
  linear20_steep: { schedule: "linear-torch", timesteps: 20, betaStart: 1e-3, betaEnd: 0.4 },
};

/** Names of targets as the PyTorch code has them. */
const TARGETS: Readonly<Record<string, TargetName>> = {
  epsilon: "epsilon",
  xstart: "x0",
  xprev: "xprev",
};

const VARIANCES: readonly VarianceName[] = ["fixedlarge", "fixedsmall"];

/** Replays the family; trajectories need the network of the family unet-small. */
export async function* verifyDiffusion(
  gpu: Gpu,
  golden: GoldenFile,
  unet: GoldenFile | undefined,
): AsyncGenerator<CaseResult> {
  yield* verifySchedules(golden);
  yield await verifyQSample(gpu, golden);
  yield* verifyReverse(gpu, golden);
  yield* verifyTrajectories(gpu, golden, unet);
}

function scheduleOf(name: string): Schedule {
  const options = SCHEDULES[name];
  if (!options) throw new Error(`Cannot verify: schedule ${name} must be a known one`);
  return makeSchedule(options);
}

function* verifySchedules(golden: GoldenFile): Generator<CaseResult> {
  const names = golden.names.filter((name) => name.startsWith("schedule/"));
  for (const schedule of new Set(names.map((name) => name.split("/")[1]!))) {
    const tables = recordedTables(scheduleOf(schedule));
    const comparison = new Comparison(`schedule.${schedule}`, FAMILY, "schedule");
    for (const name of names.filter((name) => name.split("/")[1] === schedule)) {
      const expected = golden.get(name).data;
      const actual = tables[name.split("/")[2]!] ?? [];
      // Relative: tables span many orders of magnitude.
      let worst = actual.length === expected.length ? 0 : Infinity;
      for (let i = 0; i < actual.length; i++) {
        const error = Math.abs(actual[i]! - expected[i]!) / (Math.abs(expected[i]!) || 1);
        worst = Math.max(worst, Number.isNaN(error) ? Infinity : error);
      }
      comparison.note(name, worst, 1e-12, worst <= 1e-12);
    }
    yield comparison.result();
  }
}

/** Our tables under the recorded names. */
function recordedTables(schedule: Schedule): Readonly<Record<string, ArrayLike<number>>> {
  const posterior = makePosterior(schedule);
  return {
    betas: schedule.betas,
    alphas_bar: schedule.alphasCumprod,
    alphas_bar_prev: schedule.alphasCumprodPrev,
    sqrt_alphas_bar: schedule.sqrtAlphasCumprod,
    sqrt_one_minus_alphas_bar: schedule.sqrtOneMinusAlphasCumprod,
    sqrt_recip_alphas_bar: schedule.sqrtRecipAlphasCumprod,
    sqrt_recipm1_alphas_bar: schedule.sqrtRecipm1AlphasCumprod,
    posterior_var: posterior.variance,
    posterior_mean_coef1: posterior.meanFromX0,
    posterior_mean_coef2: posterior.meanFromXt,
    posterior_log_var_clipped: reverseLogVariance(schedule, "fixedsmall"),
    fixedlarge_log_var: reverseLogVariance(schedule, "fixedlarge"),
  };
}

async function verifyQSample(gpu: Gpu, golden: GoldenFile): Promise<CaseResult> {
  const schedule = scheduleOf("linear1000_repo");
  const upload = (name: string) => {
    const { data, shape } = fromTorch(golden.get(name), IMAGE);
    return gpu.tensor(shape, { data, label: name });
  };
  const table = (values: Float64Array) =>
    gpu.tensor([values.length], { data: Float32Array.from(values) });
  const timesteps = golden.get("q_sample/t").data;
  const t = gpu.tensor([timesteps.length], { dtype: "u32", data: Uint32Array.from(timesteps) });
  const capture = new Capture(gpu, "q_sample");
  const xt = capture.keep(qSample(capture, upload("q_sample/x0"), upload("q_sample/noise"), t, {
    signal: table(schedule.sqrtAlphasCumprod),
    noise: table(schedule.sqrtOneMinusAlphasCumprod),
  }));
  const program = await capture.plan();
  program.run();
  const expected = golden.get("q_sample/x_t");
  const actual = toTorch(await program.readF32(xt), expected.shape, IMAGE);
  program.destroy();
  const comparison = new Comparison("q_sample", FAMILY, "q_sample");
  comparison.check("x_t", actual, expected.data, formulaBudget(maxAbs(expected.data)));
  const probe = golden.get("q_sample/loss_none_probe").data;
  const noise = golden.f32("q_sample/noise");
  const losses = Array.from(actual, (x, i) => (0.5 * x - noise[i]!) ** 2);
  comparison.check("loss_none_probe", losses, probe, formulaBudget(maxAbs(probe)));
  return comparison.result();
}

/** One update of the sampler kernel on given tensors; coefficients are inputs. */
async function updateProgram(gpu: Gpu, shape: readonly number[]) {
  const capture = new Capture(gpu, "sampler update");
  const x = capture.input("x", shape), f = capture.input("f", shape);
  const z = capture.input("z", shape);
  const out = capture.keep(
    samplerStep(capture, { x, f, z }, capture.input("scalars", [SAMPLER_SCALARS])),
  );
  return { program: await capture.plan(), out };
}

/** The same step stopped at the predicted x0. */
const x0Only = (step: SamplerStep): SamplerStep => ({
  ...step,
  fromX0: 1,
  fromX: 0,
  fromF: 0,
  noise: 0,
});

async function* verifyReverse(gpu: Gpu, golden: GoldenFile): AsyncGenerator<CaseResult> {
  const schedule = scheduleOf("linear1000_repo");
  const { shape } = golden.get("pmv/x_t");
  const [count = 0, ...image] = shape;
  const size = image.reduce((a, b) => a * b, 1);
  const timesteps = golden.get("pmv/t").data;
  const { program, out } = await updateProgram(gpu, [1, ...image]);
  const zeros = new Float32Array(size);
  const part = (name: string, i: number) => golden.f32(name).subarray(i * size, (i + 1) * size);
  for (const [recorded, target] of Object.entries(TARGETS)) {
    if (!golden.has(`pmv/${recorded}/mean_repo`)) continue;
    const comparison = new Comparison(`pmv.${recorded}`, FAMILY, "p_mean_variance");
    for (
      const [key, clipX0, only] of [
        ["mean_repo", false, false],
        ["mean_clipped_x0", true, false],
        ["x0_pred", false, true],
      ] as const
    ) {
      const process = { schedule, target, variance: "fixedlarge", clipX0 } as const;
      const steps = ancestralSteps(
        { name: "ddpm", steps: null, eta: 1, spacing: "uniform" },
        process,
      );
      const actual: number[] = [];
      for (let i = 0; i < count; i++) {
        const step = steps.find(({ timestep }) => timestep === timesteps[i])!;
        const mean = { ...(only ? x0Only(step) : step), noise: 0 };
        program.run({
          x: part("pmv/x_t", i),
          f: part("pmv/model_out", i),
          z: zeros,
          scalars: samplerScalars(mean),
        });
        actual.push(...await program.readF32(out));
      }
      const expected = golden.get(`pmv/${recorded}/${key}`).data;
      comparison.check(key, actual, expected, formulaBudget(maxAbs(expected)));
    }
    yield comparison.result();
  }
  const comparison = new Comparison("pmv.log_var", FAMILY, "p_mean_variance");
  for (const variance of VARIANCES) {
    const table = reverseLogVariance(schedule, variance);
    const expected = golden.get(`pmv/${variance}/log_var`).data;
    const actual = Array.from(timesteps, (t) => Math.fround(table[t]!));
    comparison.check(variance, actual, expected, formulaBudget(maxAbs(expected)));
  }
  yield comparison.result();
  program.destroy();
}

/** A recorded run. */
interface Trajectory {
  readonly name: string;
  readonly op: string;
  readonly steps: readonly SamplerStep[];
  readonly start: string;
  /** Noise by step, in PyTorch's layout. */
  readonly noise: (step: number) => Float32Array<ArrayBuffer>;
  readonly key: string;
  /** Recorded f32-against-f64 error of the last x. */
  readonly error: number;
  /** Recorded errors of all x and of all x0, where there are. */
  readonly errors: { readonly traj?: number; readonly x0?: number };
  /** Name of the final image after clipping, where recorded. */
  readonly final?: string;
  readonly alphasCumprod: Float64Array;
}

/** Slice `i` of a recorded tensor's first axis. */
function sliceOf({ data, shape }: Recorded, i: number): Float32Array<ArrayBuffer> {
  const size = data.length / shape[0]!;
  return Float32Array.from({ length: size }, (_, j) => data[i * size + j]!);
}

function* recordedTrajectories(golden: GoldenFile): Generator<Trajectory> {
  for (const run of golden.manifest.ancestral_runs as AncestralRun[]) {
    const { schedule, var_type: variance, variant } = run;
    const process = {
      schedule: scheduleOf(schedule),
      target: "epsilon",
      variance,
      clipX0: variant === "clipped",
    } as const;
    const steps = ancestralSteps(
      { name: "ddpm", steps: null, eta: 1, spacing: "uniform" },
      process,
    );
    const key = `ancestral/${schedule}/${variance}/${variant}`;
    const z = golden.get(`ancestral/${schedule}/z`);
    yield {
      name: key.replaceAll("/", "."),
      op: "ancestral",
      steps,
      start: `ancestral/${schedule}/x_T`,
      noise: (i) => sliceOf(z, steps[i]!.timestep),
      key,
      error: run.final_maxabs_f32_vs_f64,
      errors: {},
      final: `${key}/final_clipped`,
      alphasCumprod: process.schedule.alphasCumprod,
    };
  }
  for (const run of golden.manifest.ddim_runs as DdimRun[]) {
    const [, spacing, eta, clip] = run.key.split("/") as [string, SpacingName, string, string];
    const schedule = scheduleOf("linear1000_repo");
    const options = { name: "ddim", steps: run.steps, eta: Number(eta.slice(3)), spacing } as const;
    const steps = ddimSteps(options, {
      schedule,
      target: "epsilon",
      variance: "fixedlarge",
      clipX0: clip === "clip",
    });
    const z = golden.get(`ddim/${spacing}/z`);
    yield {
      name: run.key.replaceAll("/", "."),
      op: "ddim",
      steps,
      start: `ddim/${spacing}/x_T`,
      noise: (i) => sliceOf(z, i),
      key: run.key,
      error: run.final_maxabs_f32_vs_f64,
      errors: {
        ...(run.traj_maxabs_f32_vs_f64 ? { traj: run.traj_maxabs_f32_vs_f64 } : {}),
        ...(run.x0_maxabs_f32_vs_f64 ? { x0: run.x0_maxabs_f32_vs_f64 } : {}),
      },
      alphasCumprod: schedule.alphasCumprod,
    };
  }
}

interface AncestralRun {
  readonly schedule: string;
  readonly var_type: VarianceName;
  readonly variant: "repo" | "clipped";
  readonly final_maxabs_f32_vs_f64: number;
}

interface DdimRun {
  readonly key: string;
  readonly steps: number;
  readonly final_maxabs_f32_vs_f64: number;
  readonly traj_maxabs_f32_vs_f64?: number;
  readonly x0_maxabs_f32_vs_f64?: number;
}

async function* verifyTrajectories(
  gpu: Gpu,
  golden: GoldenFile,
  unet: GoldenFile | undefined,
): AsyncGenerator<CaseResult> {
  const trajectories = [...recordedTrajectories(golden)];
  if (!unet) {
    for (const { name, op } of trajectories) {
      yield { case: name, family: FAMILY, op, unsupported: true };
    }
    return;
  }
  const first = fromTorch(golden.get(trajectories[0]!.start), IMAGE);
  const network = recordedNetwork(unet, first.shape[3]!);
  const weights = recordedWeights(gpu, network, unet);
  const capture = new Capture(gpu, "sampling step");
  const graph = new Graph(capture, { parameters: parameterSlots(network, weights) });
  const x = gpu.tensor(first.shape, { label: "x" });
  const z = capture.input("z", first.shape);
  const timesteps = capture.input("t", [first.shape[0]!], "u32");
  const f = network.forward(graph, { x: graph.constant(x), level: timesteps }).ref;
  const scalars = capture.input("scalars", [SAMPLER_SCALARS]);
  const x0Scalars = capture.input("x0Scalars", [SAMPLER_SCALARS]);
  const x0 = capture.keep(samplerStep(capture, { x, f, z }, x0Scalars));
  copyInto(capture, x, samplerStep(capture, { x, f, z }, scalars));
  const program = await capture.plan();
  for (const trajectory of trajectories) {
    gpu.write(x, fromTorch(golden.get(trajectory.start), IMAGE).data);
    const shape = golden.get(trajectory.start).shape;
    const comparison = new Comparison(trajectory.name, FAMILY, trajectory.op);
    const budgets = trajectoryBudgets(golden, trajectory);
    for (const [i, step] of trajectory.steps.entries()) {
      program.run({
        z: fromTorch({ data: trajectory.noise(i), shape }, IMAGE).data,
        t: new Array(shape[0]).fill(step.timestep),
        scalars: samplerScalars(step),
        x0Scalars: samplerScalars(x0Only(step)),
      });
      const state = toTorch(await gpu.readF32(x), shape, IMAGE);
      const expected = sliceOf(golden.get(`${trajectory.key}/traj`), i);
      comparison.check(`traj ${i}`, state, expected, budgets.traj(i));
      if (golden.has(`${trajectory.key}/x0`)) {
        const predicted = toTorch(await program.readF32(x0), shape, IMAGE);
        comparison.check(
          `x0 ${i}`,
          predicted,
          sliceOf(golden.get(`${trajectory.key}/x0`), i),
          budgets.x0(i),
        );
      }
    }
    if (trajectory.final) {
      const state = toTorch(await gpu.readF32(x), shape, IMAGE);
      const clipped = Array.from(state, (value) => Math.max(-1, Math.min(1, value)));
      const last = trajectory.steps.length - 1;
      comparison.check("final", clipped, golden.get(trajectory.final).data, budgets.traj(last));
    }
    yield comparison.result();
  }
  program.destroy();
  weights.destroy(gpu);
}

/**
 * Budgets along a trajectory: ten times the recorded error of the final x, in proportion to how large x
 * is at that step. A predicted x0 magnifies the error of x by sqrt(1 / A_t).
 */
function trajectoryBudgets(
  golden: GoldenFile,
  { key, steps, error, errors, alphasCumprod }: Trajectory,
) {
  const recorded = golden.get(`${key}/traj`);
  const size = (i: number) => maxAbs(sliceOf(recorded, i));
  const final = size(steps.length - 1);
  const traj = (i: number) =>
    budgetOf(errors.traj ?? error * Math.max(1, size(i) / final), size(i));
  const x0 = (i: number) => {
    if (errors.x0) return budgetOf(errors.x0, 1);
    return traj(i) * Math.sqrt(1 / alphasCumprod[steps[i]!.timestep]!);
  };
  return { traj, x0 };
}
