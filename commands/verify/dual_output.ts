/**
 * The weighted objective of the family lucid-objectives, which is target dual-output: its loss, and what a
 * sampling step takes from the network.
 *
 * @module
 */
import { Graph } from "../../autograd/graph.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import { denoiserOf } from "../../diffusion/denoiser.ts";
import { DIFFUSION, type DiffusionOptions } from "../../diffusion/options.ts";
import { LEAST_VARIANCE, makePosterior } from "../../diffusion/posterior.ts";
import { makeProcess, type Process } from "../../diffusion/process.ts";
import { clipForward } from "../../kernels/elementwise/clip.ts";
import { withDefaults } from "../../support/options.ts";
import { checkRecorded } from "./feature_checks.ts";
import { type Comparison, type GoldenFile, Unsupported } from "./golden.ts";
import { fromTorch, IMAGE, toTorch } from "./layout.ts";
import { checkTinyLoss, tinyNetwork } from "./tiny_network.ts";

/** What the manifest says of the case. */
export interface RecordedDual {
  readonly timesteps: number;
  readonly beta_schedule: string;
  readonly beta_schedule_kwargs?: Readonly<Partial<Record<"start" | "end" | "tau", number>>>;
  readonly x0_from_noise_clamp_in_loss: number;
  readonly kwargs: {
    readonly pred_noise_loss_weight: number;
    readonly pred_x_start_loss_weight: number;
  };
  readonly tscale: number;
}

function optionsOf(recorded: RecordedDual): DiffusionOptions {
  const { timesteps, beta_schedule: schedule, kwargs, beta_schedule_kwargs: betas = {} } = recorded;
  if (schedule !== "sigmoid") throw new Unsupported(`schedule ${schedule} is not known`);
  const defaults = withDefaults(DIFFUSION) as DiffusionOptions;
  return {
    ...defaults,
    ...{ timesteps, schedule, target: "dual-output", variance: "fixedsmall" },
    dualOutput: {
      noiseWeight: kwargs.pred_noise_loss_weight,
      imageWeight: kwargs.pred_x_start_loss_weight,
      limit: recorded.x0_from_noise_clamp_in_loss,
    },
    scheduleOptions: {
      ...defaults.scheduleOptions,
      // Its clamp_min is an argument that nothing there reads.
      ...{ sigmoidStart: betas.start ?? -3, sigmoidEnd: betas.end ?? 3 },
      ...{ sigmoidTau: betas.tau ?? 1, sigmoidRounded: true },
    },
  };
}

/** Replays the case; gives the names that it has compared or used. */
export async function checkDualOutput(
  gpu: Gpu,
  comparison: Comparison,
  golden: GoldenFile,
  { key, recorded }: { readonly key: string; readonly recorded: RecordedDual },
): Promise<string[]> {
  const options = optionsOf(recorded), process = makeProcess(options);
  const rows = Uint32Array.from(golden.get(`${key}/t`).data), parameters = `${key}/param/model.`;
  const compared = await checkTinyLoss(gpu, comparison, process, options, {
    ...{ golden, inputs: `${key}/`, rows, parameters, scale: recorded.tscale },
    ...{ results: `${key}/p_losses/`, gradients: "model." },
  });
  const found = await stepOf(gpu, golden, process, {
    ...{ key, rows, parameters, scale: recorded.tscale },
  });
  for (const [name, values] of Object.entries(found)) {
    if (!golden.has(`${key}/${name}`)) continue;
    checkRecorded(golden, comparison, `${key}/${name}`, values);
    compared.push(`${key}/${name}`);
  }
  const used = ["x0", "noise", "x_t", "t"].map((name) => `${key}/${name}`);
  return [...compared, ...used, ...golden.names.filter((name) => name.startsWith(parameters))];
}

/** Mean and variance of a step from recorded noisy images. */
async function stepOf(
  gpu: Gpu,
  golden: GoldenFile,
  { schedule, ...process }: Process,
  { key, rows, parameters, scale }: {
    readonly key: string;
    readonly rows: Uint32Array<ArrayBuffer>;
    readonly parameters: string;
    readonly scale: number;
  },
): Promise<Readonly<Record<string, ArrayLike<number>>>> {
  const onGpu = process.onGpu(gpu), posterior = makePosterior(schedule);
  const capture = new Capture(gpu, "weighted objective"), graph = new Graph(capture, {});
  const given = fromTorch(golden.get(`${key}/x_t`), IMAGE);
  const xt = gpu.tensor(given.shape, { data: given.data, label: "x_t" });
  const t = gpu.tensor([rows.length], { dtype: "u32", data: rows });
  const { denoise } = tinyNetwork(graph, golden, parameters, scale);
  const clean = denoiserOf({ forward: denoise })(graph, onGpu.inputs(graph, xt, t)).ref;
  const mean = capture.keep(onGpu.combine(capture, t, [
    { share: posterior.meanFromX0, x: clipForward(capture, clean, 1) },
    { share: posterior.meanFromXt, x: xt },
  ]));
  const program = await capture.plan();
  program.run();
  const { shape } = golden.get(`${key}/x_t`);
  const variance = Array.from(rows, (row) => posterior.variance[row]!);
  const found = {
    "p_mean_variance/mean": toTorch(await program.readF32(mean), shape, IMAGE),
    "p_mean_variance/variance": variance,
    "p_mean_variance/log_variance": variance.map((v) => Math.log(Math.max(v, LEAST_VARIANCE))),
  };
  program.destroy();
  onGpu.destroy();
  return found;
}
