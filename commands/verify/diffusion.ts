/**
 * The family diffusion: noise schedules, q(x_t | x_0), p(x_{t-1} | x_t) and whole sampling trajectories.
 *
 * @module
 */
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import { type TargetName, VARIANCE_NAMES, type VarianceName } from "../../diffusion/options.ts";
import { reverseLogVariance } from "../../diffusion/posterior.ts";
import { processOn } from "../../diffusion/process.ts";
import { ancestralSteps } from "../../diffusion/samplers/ddpm.ts";
import { qSample } from "../../kernels/process/q_sample.ts";
import { samplerScalars } from "../../kernels/process/sampler_step.ts";
import {
  type CaseResult,
  Comparison,
  formulaBudget,
  type GoldenFile,
  maxAbs,
  replay,
  unsupported,
} from "./golden.ts";
import { fromTorch, IMAGE, toTorch } from "./layout.ts";
import { RECORDED, updateProgram, x0Only } from "./sampler_update.ts";
import { scheduleNamedIn, verifySchedules } from "./schedules.ts";
import { verifyTrajectories } from "./trajectories.ts";

const FAMILY = "diffusion";

/** Names of targets as the PyTorch code has them. */
const TARGETS: Readonly<Record<string, TargetName>> = {
  epsilon: "epsilon",
  xstart: "x0",
  xprev: "xprev",
};

/** What is recorded of a target: whether x0 is clipped, and whether the step stops at x0. */
const MEANS: Readonly<Record<string, { readonly clipX0: boolean; readonly x0: boolean }>> = {
  mean_repo: { clipX0: false, x0: false },
  mean_clipped_x0: { clipX0: true, x0: false },
  x0_pred: { clipX0: false, x0: true },
};

/** Parts of the file that are replayed. */
const PARTS: readonly string[] = ["schedule", "q_sample", "pmv", "ancestral", "ddim"];

const named = (name: string, op: string) => ({ case: name, family: FAMILY, op });

/** Replays the family; trajectories need the network of the family unet-small. */
export async function* verifyDiffusion(
  gpu: Gpu,
  golden: GoldenFile,
  unet: GoldenFile | undefined,
): AsyncGenerator<CaseResult> {
  yield* verifySchedules(golden);
  if (golden.has("q_sample/x_t")) {
    yield* replay(named("q_sample", "q_sample"), () => verifyQSample(gpu, golden));
  }
  if (golden.has("pmv/x_t")) {
    yield* replay(named("pmv", "p_mean_variance"), () => verifyReverse(gpu, golden));
  }
  yield* verifyTrajectories(gpu, golden, unet);
  for (const part of new Set(golden.names.map((name) => name.split("/")[0]!))) {
    if (!PARTS.includes(part)) yield unsupported(named(part, part), `${part} is not known`);
  }
}

async function verifyQSample(gpu: Gpu, golden: GoldenFile): Promise<CaseResult> {
  const schedule = scheduleNamedIn(golden, "q_sample");
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
  if (golden.has("q_sample/loss_none_probe")) {
    const probe = golden.get("q_sample/loss_none_probe").data;
    const noise = golden.f32("q_sample/noise");
    const losses = Array.from(actual, (x, i) => (0.5 * x - noise[i]!) ** 2);
    comparison.check("loss_none_probe", losses, probe, formulaBudget(maxAbs(probe)));
  }
  return comparison.result();
}

/** Names below `pmv/` by their first part; those of the inputs are left out. */
function reverseParts(golden: GoldenFile): Map<string, string[]> {
  const parts = new Map<string, string[]>();
  for (const name of golden.names) {
    const [group, part = "", ...rest] = name.split("/");
    if (group !== "pmv" || rest.length === 0) continue;
    parts.set(part, [...parts.get(part) ?? [], rest.join("/")]);
  }
  return parts;
}

async function* verifyReverse(gpu: Gpu, golden: GoldenFile): AsyncGenerator<CaseResult> {
  const variances = new Map<VarianceName, readonly string[]>();
  for (const [part, keys] of reverseParts(golden)) {
    const name = named(`pmv.${part}`, "p_mean_variance");
    const target = TARGETS[part];
    const variance = VARIANCE_NAMES.find((known) => known === part);
    if (variance) variances.set(variance, keys);
    else if (target) yield* replay(name, () => verifyMeans(gpu, golden, part, target, keys));
    else yield unsupported(name, `${part} is not known`);
  }
  const name = named("pmv.log_var", "p_mean_variance");
  if (variances.size > 0) yield* replay(name, () => verifyLogVariances(golden, variances));
}

async function* verifyMeans(
  gpu: Gpu,
  golden: GoldenFile,
  recorded: string,
  target: TargetName,
  keys: readonly string[],
): AsyncGenerator<CaseResult> {
  const schedule = scheduleNamedIn(golden, "pmv");
  const [count = 0, ...image] = golden.get("pmv/x_t").shape;
  const size = image.reduce((a, b) => a * b, 1);
  const timesteps = golden.get("pmv/t").data;
  const zeros = new Float32Array(size);
  const part = (name: string, i: number) => golden.f32(name).subarray(i * size, (i + 1) * size);
  const name = named(`pmv.${recorded}`, "p_mean_variance");
  const comparison = new Comparison(name.case, name.family, name.op);
  const { program, out } = await updateProgram(gpu, [1, ...image]);
  for (const key of keys) {
    const mean = MEANS[key];
    if (!mean) {
      yield unsupported({ ...name, case: `${name.case}.${key}` }, `${key} is not known`);
      continue;
    }
    const steps = ancestralSteps(
      { steps: null },
      processOn(schedule, { ...RECORDED, target, clipX0: mean.clipX0 }),
    );
    const actual: number[] = [];
    for (let i = 0; i < count; i++) {
      const step = steps.find(({ timestep }) => timestep === timesteps[i])!;
      program.run({
        x: part("pmv/x_t", i),
        f: part("pmv/model_out", i),
        z: zeros,
        scalars: samplerScalars({ ...(mean.x0 ? x0Only(step) : step), noise: 0 }),
      });
      actual.push(...await program.readF32(out));
    }
    const expected = golden.get(`pmv/${recorded}/${key}`).data;
    comparison.check(key, actual, expected, formulaBudget(maxAbs(expected)));
  }
  program.destroy();
  yield comparison.result();
}

function* verifyLogVariances(
  golden: GoldenFile,
  variances: ReadonlyMap<VarianceName, readonly string[]>,
): Generator<CaseResult> {
  const name = named("pmv.log_var", "p_mean_variance");
  const schedule = scheduleNamedIn(golden, "pmv");
  const comparison = new Comparison(name.case, name.family, name.op);
  for (const [variance, keys] of variances) {
    for (const key of keys.filter((key) => key !== "log_var")) {
      yield unsupported({ ...name, case: `pmv.${variance}.${key}` }, `${key} is not known`);
    }
    if (!keys.includes("log_var")) continue;
    const table = reverseLogVariance(schedule, variance);
    const expected = golden.get(`pmv/${variance}/log_var`).data;
    const actual = Array.from(golden.get("pmv/t").data, (t) => Math.fround(table[t]!));
    comparison.check(variance, actual, expected, formulaBudget(maxAbs(expected)));
  }
  yield comparison.result();
}
