/**
 * Whole sampling trajectories of the family diffusion, ancestral and DDIM, step by step.
 *
 * @module
 */
import { Graph } from "../../autograd/graph.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import { SPACING_NAMES, VARIANCE_NAMES } from "../../diffusion/options.ts";
import type { SamplerStep } from "../../diffusion/moves.ts";
import { processOn } from "../../diffusion/process.ts";
import { ddimSteps } from "../../diffusion/samplers/ddim.ts";
import { ancestralSteps } from "../../diffusion/samplers/ddpm.ts";
import { copyInto } from "../../kernels/elementwise/add.ts";
import {
  SAMPLER_SCALARS,
  samplerScalars,
  samplerStep,
} from "../../kernels/process/sampler_step.ts";
import { parameterSlots } from "../../model/parameters.ts";
import {
  budgetOf,
  type CaseName,
  type CaseResult,
  Comparison,
  type GoldenFile,
  maxAbs,
  type Recorded,
  replay,
  Unsupported,
  unsupported,
} from "./golden.ts";
import { fromTorch, IMAGE, toTorch } from "./layout.ts";
import { recordedNetwork, recordedWeights } from "./networks.ts";
import { RECORDED, x0Only } from "./sampler_update.ts";
import { scheduleNamedIn, scheduleOf } from "./schedules.ts";

const FAMILY = "diffusion";

/** A recorded run. */
interface Trajectory {
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

/** One of a list of known names. */
function known<T extends string>(names: readonly T[], name: string | undefined, what: string): T {
  const found = names.find((known) => known === name);
  if (found === undefined) throw new Unsupported(`${what} ${name} is not known`);
  return found;
}

interface AncestralRun {
  readonly schedule: string;
  readonly var_type: string;
  readonly variant: string;
  readonly final_maxabs_f32_vs_f64: number;
}

function ancestralTrajectory(golden: GoldenFile, run: AncestralRun): Trajectory {
  const schedule = scheduleOf(golden, run.schedule);
  const variance = known(VARIANCE_NAMES, run.var_type, "variance");
  const variant = known(["repo", "clipped"], run.variant, "variant");
  const steps = ancestralSteps(
    { steps: null },
    processOn(schedule, { ...RECORDED, variance, clipX0: variant === "clipped" }),
  );
  const key = ancestralKey(run);
  const z = golden.get(`ancestral/${run.schedule}/z`);
  return {
    steps,
    start: `ancestral/${run.schedule}/x_T`,
    noise: (i) => sliceOf(z, steps[i]!.timestep),
    key,
    error: run.final_maxabs_f32_vs_f64,
    errors: {},
    ...(golden.has(`${key}/final_clipped`) ? { final: `${key}/final_clipped` } : {}),
    alphasCumprod: schedule.alphasCumprod,
  };
}

const ancestralKey = (run: AncestralRun) =>
  `ancestral/${run.schedule}/${run.var_type}/${run.variant}`;

interface DdimRun {
  /** ddim/SPACING/etaE/clip or noclip. */
  readonly key: string;
  readonly steps: number;
  /** Where it is not the one that the manifest's text names. */
  readonly schedule?: string;
  readonly final_maxabs_f32_vs_f64: number;
  readonly traj_maxabs_f32_vs_f64?: number;
  readonly x0_maxabs_f32_vs_f64?: number;
}

function ddimTrajectory(golden: GoldenFile, run: DdimRun): Trajectory {
  const [, place, eta = "", clip] = run.key.split("/");
  const spacing = known(SPACING_NAMES, place, "spacing");
  const clipX0 = known(["clip", "noclip"], clip, "clipping") === "clip";
  const amount = /^eta(\d+(?:\.\d+)?)$/.exec(eta)?.[1];
  if (amount === undefined) throw new Unsupported(`eta ${eta} is not known`);
  const schedule = run.schedule === undefined
    ? scheduleNamedIn(golden, "ddim")
    : scheduleOf(golden, run.schedule);
  const options = { steps: run.steps, eta: Number(amount), spacing } as const;
  const process = processOn(schedule, { ...RECORDED, clipX0 });
  const z = golden.get(`ddim/${spacing}/z`);
  return {
    steps: ddimSteps(options, process),
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

/** Replays every recorded run; they need the network of the family unet-small. */
export async function* verifyTrajectories(
  gpu: Gpu,
  golden: GoldenFile,
  unet: GoldenFile | undefined,
): AsyncGenerator<CaseResult> {
  const { ancestral_runs: ancestral = [], ddim_runs: ddim = [] } = golden.manifest as {
    readonly ancestral_runs?: readonly AncestralRun[];
    readonly ddim_runs?: readonly DdimRun[];
  };
  const runs: [key: string, op: string, trajectory: () => Trajectory][] = [];
  for (const run of ancestral) {
    runs.push([ancestralKey(run), "ancestral", () => ancestralTrajectory(golden, run)]);
  }
  for (const run of ddim) runs.push([run.key, "ddim", () => ddimTrajectory(golden, run)]);
  const samplers = new Map<string, Promise<StepProgram>>();
  for (const [key, op, trajectory] of runs) {
    const name = { case: key.replaceAll("/", "."), family: FAMILY, op };
    if (!unet) {
      yield unsupported(name, "it needs the network of unet-small.safetensors");
      continue;
    }
    yield* replay(name, async () => {
      const run = trajectory();
      const { shape } = golden.get(run.start);
      const sampler = samplers.get(shape.join()) ?? stepProgram(gpu, unet, shape);
      samplers.set(shape.join(), sampler);
      return await verifyTrajectory(gpu, golden, name, run, await sampler);
    });
  }
  for (const sampler of samplers.values()) (await sampler.catch(() => undefined))?.destroy();
}

type StepProgram = Awaited<ReturnType<typeof stepProgram>>;

/** A sampling step of the recorded network; `x` is updated in place. */
async function stepProgram(gpu: Gpu, unet: GoldenFile, torchShape: readonly number[]) {
  const shape = IMAGE!.map((axis) => torchShape[axis]!);
  const network = recordedNetwork(unet, shape[3]!);
  const weights = recordedWeights(gpu, network, unet);
  const capture = new Capture(gpu, "sampling step");
  const graph = new Graph(capture, { parameters: parameterSlots(network, weights) });
  const x = gpu.tensor(shape, { label: "x" });
  const z = capture.input("z", shape);
  const level = capture.input("t", [shape[0]!], "u32");
  const f = network.forward(graph, { x: graph.constant(x), level }).ref;
  const scalars = capture.input("scalars", [SAMPLER_SCALARS]);
  const x0Scalars = capture.input("x0Scalars", [SAMPLER_SCALARS]);
  const x0 = capture.keep(samplerStep(capture, { x, f, z }, x0Scalars));
  copyInto(capture, x, samplerStep(capture, { x, f, z }, scalars));
  const program = await capture.plan();
  const destroy = () => {
    program.destroy();
    weights.destroy(gpu);
    gpu.destroyTensor(x);
  };
  return { program, x, x0, destroy };
}

async function verifyTrajectory(
  gpu: Gpu,
  golden: GoldenFile,
  name: CaseName,
  trajectory: Trajectory,
  { program, x, x0 }: StepProgram,
): Promise<CaseResult> {
  const { key, steps, start, noise, final } = trajectory;
  const { shape } = golden.get(start);
  gpu.write(x, fromTorch(golden.get(start), IMAGE).data);
  const comparison = new Comparison(name.case, name.family, name.op);
  const budgets = trajectoryBudgets(golden, trajectory);
  for (const [i, step] of steps.entries()) {
    program.run({
      z: fromTorch({ data: noise(i), shape }, IMAGE).data,
      t: new Array(shape[0]).fill(step.timestep),
      scalars: samplerScalars(step),
      x0Scalars: samplerScalars(x0Only(step)),
    });
    const state = toTorch(await gpu.readF32(x), shape, IMAGE);
    comparison.check(`traj ${i}`, state, sliceOf(golden.get(`${key}/traj`), i), budgets.traj(i));
    if (!golden.has(`${key}/x0`)) continue;
    const predicted = toTorch(await program.readF32(x0), shape, IMAGE);
    const expected = sliceOf(golden.get(`${key}/x0`), i);
    comparison.check(`x0 ${i}`, predicted, expected, budgets.x0(i));
  }
  if (final) {
    const state = toTorch(await gpu.readF32(x), shape, IMAGE);
    const clipped = Array.from(state, (value) => Math.max(-1, Math.min(1, value)));
    comparison.check("final", clipped, golden.get(final).data, budgets.traj(steps.length - 1));
  }
  return comparison.result();
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
