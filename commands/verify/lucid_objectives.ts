/**
 * The family lucid-objectives: losses of continuous-time diffusion through a small network, and its
 * tables of log SNR.
 *
 * @module
 */
import { Graph } from "../../autograd/graph.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import { LearnedObjective } from "../../diffusion/learned_objective.ts";
import { DIFFUSION, type DiffusionOptions } from "../../diffusion/options.ts";
import { processOn } from "../../diffusion/process.ts";
import { ddimSteps } from "../../diffusion/samplers/ddim.ts";
import { scheduleFromLevels } from "../../diffusion/schedule.ts";
import { continuousSchedule } from "../../diffusion/schedules/continuous.ts";
import { learnedLogSnr, LOG_SNR_ENDS } from "../../diffusion/schedules/learned.ts";
import { cosineLogSnr, linearLogSnr, logSnrLevel } from "../../diffusion/schedules/log_snr.ts";
import {
  SAMPLER_SCALARS,
  samplerScalars,
  samplerStep,
} from "../../kernels/process/sampler_step.ts";
import { LogSnr } from "../../model/log_snr.ts";
import { namedParameters } from "../../model/module.ts";
import { logSnrNames } from "../../model/names/log_snr.ts";
import { withDefaults } from "../../support/options.ts";
import { checkDualOutput, type RecordedDual } from "./dual_output.ts";
import { caseOf, checkRecorded, type Json } from "./feature_checks.ts";
import {
  type CaseResult,
  type Comparison,
  type GoldenFile,
  replay,
  Unsupported,
} from "./golden.ts";
import { fromTorch, IMAGE, toTorch } from "./layout.ts";
import { checkTinyLoss, type OwnParameter, tinyNetwork } from "./tiny_network.ts";

const FAMILY = "lucid-objectives";

interface RecordedCase {
  readonly class: string;
  readonly tscale: number;
  readonly kwargs_full?: {
    readonly noise_schedule?: string;
    readonly min_snr_loss_weight?: boolean;
    readonly min_snr_gamma?: number;
    readonly clip_sample_denoised?: boolean;
    readonly learned_schedule_net_hidden_dim?: number;
    readonly learned_noise_schedule_frac_gradient?: number;
  };
  /** From the noisiest on, with the last one that is stepped to. */
  readonly sample_times?: readonly number[];
}

/** Replays the family. */
export async function* verifyLucidObjectives(
  gpu: Gpu,
  golden: GoldenFile,
): AsyncGenerator<CaseResult> {
  for (const [key, recorded] of Object.entries(golden.manifest.cases as Json)) {
    const name = { case: key, family: FAMILY, op: "p_losses" };
    yield* replay(name, () => verifyCase(gpu, golden, key, recorded as RecordedCase));
  }
}

const SCHEDULES: Readonly<Record<string, (time: number) => number>> = {
  linear: linearLogSnr,
  cosine: cosineLogSnr,
};

/** The network of a learned schedule as it was recorded: on the GPU, and in f64. */
function recordedLevels(gpu: Gpu, golden: GoldenFile, key: string, recorded: RecordedCase) {
  const {
    learned_schedule_net_hidden_dim: hidden = 1024,
    learned_noise_schedule_frac_gradient: gradientShare = 1,
  } = recorded.kwargs_full ?? {};
  const network = new LogSnr({ ...LOG_SNR_ENDS, hidden, gradientShare });
  const parameters = new Map(namedParameters(network)), own = new Map<string, OwnParameter>();
  const values = new Map<string, number[]>();
  for (const { name, pytorchName } of logSnrNames(network)) {
    const ours = name.replace("logSnr.", ""),
      parameter = parameters.get(ours)!,
      { shape } = parameter;
    // Theirs have the axes turned around, of which one has length 1.
    const { data } = golden.get(`${key}/param/${pytorchName}`);
    values.set(ours, Array.from(data));
    const value = gpu.tensor(shape, { data: Float32Array.from(data), label: pytorchName });
    own.set(pytorchName, { parameter, slot: { value, grad: gpu.tensor(shape) } });
  }
  const of = (name: string) => values.get(name)!;
  const logSnr = learnedLogSnr({
    input: [of("input.weight")[0]!, of("input.bias")[0]!],
    hidden: { weight: of("hidden.weight"), bias: of("hidden.bias"), output: of("output.weight") },
  });
  return { network, own, logSnr };
}

async function* verifyCase(gpu: Gpu, golden: GoldenFile, key: string, recorded: RecordedCase) {
  const names = golden.names.filter((name) => name.startsWith(`${key}/`));
  if (recorded.class === "WeightedObjectiveGaussianDiffusion") {
    const dual = { key, recorded: recorded as RecordedCase & RecordedDual };
    return yield* caseOf({ case: key, family: FAMILY, op: "p_losses" }, names, async (to, done) => {
      (await checkDualOutput(gpu, to, golden, dual)).forEach(done);
    });
  }
  const isV = recorded.class === "VParamContinuousTimeGaussianDiffusion";
  if (!isV && recorded.class !== "ContinuousTimeGaussianDiffusion") {
    throw new Unsupported(`${recorded.class} is not known`);
  }
  const {
    noise_schedule: kind = "cosine",
    min_snr_loss_weight: minSnr,
    min_snr_gamma: snrGamma = 5,
  } = recorded.kwargs_full ?? {};
  const learned = kind === "learned" ? recordedLevels(gpu, golden, key, recorded) : null;
  const logSnr = learned?.logSnr ?? SCHEDULES[kind];
  if (!logSnr) throw new Unsupported(`noise schedule ${kind} is not known`);
  const defaults = withDefaults(DIFFUSION) as DiffusionOptions;
  const options: DiffusionOptions = {
    ...defaults,
    target: isV ? "v" : "epsilon",
    ...minSnr && {
      weighting: "min-snr",
      weightingOptions: { ...defaults.weightingOptions, snrGamma },
    },
  };
  const times = Array.from(golden.get(`${key}/times`).data);
  const values = [...new Set(times)].sort((a, b) => a - b);
  const schedule = continuousSchedule({
    ...{ values, largest: 1, condition: logSnr, place: () => values.toReversed() },
    level: (time) => logSnrLevel(logSnr(time)),
  });
  yield* caseOf({ case: key, family: FAMILY, op: "p_losses" }, names, async (comparison, done) => {
    const process = processOn(schedule, options);
    const objective = learned && new LearnedObjective(gpu, process, options, learned.network);
    const compared = await checkTinyLoss(gpu, comparison, process, options, {
      ...{ golden, inputs: `${key}/`, parameters: `${key}/param/model.`, scale: recorded.tscale },
      ...{ results: `${key}/p_losses/`, gradients: "model." },
      rows: Uint32Array.from(times, (time) => values.indexOf(time)),
      ...learned && { own: learned.own },
    }, ...objective ? [objective] : []);
    for (const name of [...compared, ...["x0", "noise", "times"].map((name) => `${key}/${name}`)]) {
      done(name);
    }
    names.filter((name) => name.startsWith(`${key}/param/`)).forEach(done);
    const table = `${key}/table/log_snr`;
    done(table);
    const { shape: [count = 0] } = golden.get(table);
    const ours = Array.from({ length: count }, (_, j) => logSnr(j / 16));
    checkRecorded(golden, comparison, table, ours);
    if (!golden.has(`${key}/sample/traj`)) return;
    const clip = recorded.kwargs_full?.clip_sample_denoised ?? true;
    const visited = recorded.sample_times ?? [];
    await checkSample(gpu, golden, comparison, {
      ...{ key, recorded, options, logSnr, clip, times: visited },
    });
    for (const name of ["x_T", "z", "sample/traj", "sample/final01"]) done(`${key}/${name}`);
  });
}

interface Sample {
  readonly key: string;
  readonly recorded: RecordedCase;
  readonly options: DiffusionOptions;
  readonly logSnr: (time: number) => number;
  readonly times: readonly number[];
  readonly clip: boolean;
}

/** Ancestral steps, which are DDIM's of eta 1, down to the last time, where some noise is left. */
async function checkSample(
  gpu: Gpu,
  golden: GoldenFile,
  comparison: Comparison,
  { key, recorded, options, logSnr, times, clip }: Sample,
): Promise<void> {
  const ascending = times.toReversed();
  const schedule = scheduleFromLevels(ascending.map((time) => logSnrLevel(logSnr(time))));
  const process = processOn(schedule, { ...options, weighting: "uniform", clipX0: clip });
  const steps = ddimSteps({ steps: times.length, eta: 1, spacing: "trailing" }, process).slice(
    0,
    -1,
  );
  const start = fromTorch(golden.get(`${key}/x_T`), IMAGE), noises = golden.get(`${key}/z`);
  const capture = new Capture(gpu, "sample"), graph = new Graph(capture, {});
  const { denoise } = tinyNetwork(graph, golden, `${key}/param/model.`, recorded.tscale);
  const x = capture.input("x", start.shape), z = capture.input("z", start.shape);
  const level = capture.input("level", [start.shape[0]!]);
  const f = denoise(graph, { x: graph.constant(x), level }).ref;
  const scalars = capture.input("scalars", [SAMPLER_SCALARS]);
  const next = capture.keep(samplerStep(capture, { x, f, z }, scalars));
  const program = await capture.plan();
  let now = start.data;
  const size = now.length, traj: number[] = [];
  for (const [i, step] of steps.entries()) {
    const drawn = noises.data as Float32Array, shape = noises.shape.slice(1);
    const last = i === steps.length - 1;
    program.run({
      ...{ x: now, level: new Float32Array(start.shape[0]!).fill(logSnr(times[i]!)) },
      z: fromTorch({ shape, data: drawn.slice(i * size, (i + 1) * size) }, IMAGE).data,
      scalars: samplerScalars(last ? { ...step, noise: 0 } : step),
    });
    now = await program.readF32(next);
    traj.push(...Array.from(toTorch(now, shape, IMAGE)));
  }
  program.destroy();
  checkRecorded(golden, comparison, `${key}/sample/traj`, traj);
  const final = traj.slice(-size).map((value) => (Math.max(-1, Math.min(1, value)) + 1) / 2);
  checkRecorded(golden, comparison, `${key}/sample/final01`, final);
}
