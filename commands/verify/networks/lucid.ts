/**
 * Recorded networks of lucidrains' denoising-diffusion-pytorch.
 *
 * @module
 */
import type { Tensor } from "../../../autograd/graph.ts";
import { add } from "../../../autograd/ops/add.ts";
import { mul } from "../../../autograd/ops/mul.ts";
import { mean } from "../../../autograd/ops/reduce.ts";
import { scale } from "../../../autograd/ops/scale.ts";
import type { ScheduleName } from "../../../diffusion/options.ts";
import { makeProcess, type Process } from "../../../diffusion/process.ts";
import { ddimSteps } from "../../../diffusion/samplers/ddim.ts";
import { reshape } from "../../../autograd/ops/reshape.ts";
import type { TensorRef } from "../../../device/tensor.ts";
import { guide } from "../../../kernels/process/guidance.ts";
import { samplerScalars, unguidedNoiseScalars } from "../../../kernels/process/sampler_step.ts";
import { lucidNames } from "../../../model/networks/lucid/names.ts";
import type { LucidOptions } from "../../../model/networks/lucid/options.ts";
import { LucidUNet } from "../../../model/networks/lucid/unet.ts";
import { createNetwork } from "../../../model/networks/registry.ts";
import { type GoldenFile, Unsupported } from "../golden.ts";
import type { RecordedNetwork } from "../recorded_network.ts";
import type { Pass } from "../replayed_pass.ts";

/** The constructor's arguments as recorded. */
interface Recorded {
  readonly dim: number;
  readonly dim_mults?: readonly number[];
  readonly channels?: number;
  readonly init_dim?: number | null;
  readonly out_dim?: number | null;
  readonly self_condition?: boolean;
  readonly learned_variance?: boolean;
  readonly learned_sinusoidal_cond?: boolean;
  readonly random_fourier_features?: boolean;
  readonly learned_sinusoidal_dim?: number;
  readonly sinusoidal_pos_emb_theta?: number;
  readonly dropout?: number;
  readonly attn_dim_head?: number | readonly number[];
  readonly attn_heads?: number | readonly number[];
  readonly full_attn?: boolean | readonly boolean[] | null;
  readonly num_classes?: number;
  readonly cond_drop_prob?: number;
}

/** Arguments of `forward_with_cond_scale` as recorded. */
interface Guidance {
  readonly cond_scale?: number;
  readonly rescaled_phi?: number;
  readonly remove_parallel_component?: boolean;
  readonly keep_parallel_frac?: number;
}

const listOf = <T>(value: T | readonly T[]): T[] =>
  Array.isArray(value) ? [...value] : [value as T];

/** Our network from a manifest's config. */
function build(golden: GoldenFile, style: LucidOptions["style"]): LucidUNet {
  const config = golden.manifest.config as unknown as Recorded;
  const channels = config.channels ?? 3;
  const multipliers = [...config.dim_mults ?? [1, 2, 4, 8]];
  const outputs = config.out_dim ?? channels * (config.learned_variance ? 2 : 1);
  const full = config.full_attn ?? null;
  const levels = typeof full === "boolean" ? multipliers.map(() => full) : full;
  const fourier = config.random_fourier_features
    ? "random"
    : config.learned_sinusoidal_cond
    ? "learned"
    : "sinusoidal";
  const shape = golden.get("x").shape;
  const [height = 1, width = 1] = shape.length === 3 ? [1, shape[2]] : shape.slice(2);
  const network = createNetwork({
    name: "lucid",
    style,
    channels: config.dim,
    initialChannels: config.init_dim ?? null,
    channelMultipliers: multipliers,
    selfCondition: config.self_condition ?? false,
    learnedVariance: outputs === 2 * channels,
    timeFeatures: fourier,
    fourierChannels: config.learned_sinusoidal_dim ?? 16,
    longestPeriod: config.sinusoidal_pos_emb_theta ?? 10000,
    dropout: config.dropout ?? 0,
    headChannels: listOf(config.attn_dim_head ?? 32),
    heads: listOf(config.attn_heads ?? 4),
    fullAttention: levels && levels.flatMap((is, level) => is ? [level] : []),
    cosineAxis: "channels",
    classes: config.num_classes ?? 0,
    labelDropout: style === "classes" ? config.cond_drop_prob ?? 0.5 : 0,
  }, { height, width, channels, outputs, timesteps: 1000 });
  if (!(network instanceof LucidUNet)) throw new Unsupported("such a Unet is not known");
  return network;
}

/** `Unet` of classifier_free_guidance.py. */
export const LUCID_CLASSES: RecordedNetwork = {
  family: "lucid-cfg",
  rebuild(golden) {
    const network = build(golden, "classes");
    const { classes } = network.options;
    const inputs = (pass: Pass) => ({ x: pass.image("x"), level: pass.level("t") });
    /** Classes, of which those whose mask is 0 are withheld. */
    const kept = (pass: Pass) => {
      const keep = pass.recorded("keep");
      const labels = Uint32Array.from(pass.recorded("y"), (y, i) => keep[i] ? y : classes);
      pass.values.kept = labels;
      return pass.graph.capture.input("kept", [labels.length], "u32");
    };
    /** `forward_with_cond_scale`, with what it takes unless given. */
    const guided = (pass: Pass) => {
      const {
        cond_scale: scale = 1,
        rescaled_phi: rescale = 0,
        remove_parallel_component: removes = true,
        keep_parallel_frac: keep = 0,
      } = pass.args as Guidance;
      const { x, level } = inputs(pass);
      const predict = (labels: TensorRef) => network.forward(pass.graph, { x, level, labels }).ref;
      const conditional = predict(pass.indices("y"));
      if (scale === 1) return { out: conditional };
      const { capture } = pass.graph;
      const none = new Uint32Array(conditional.shape[0] ?? 0).fill(classes);
      const unconditional = predict(capture.constant([none.length], none, "no classes"));
      const strength = { scale, rescale, channels: conditional.shape.at(-1) ?? 0 };
      const keepParallel = removes ? keep : 1;
      return {
        out: guide(capture, { conditional, unconditional }, { ...strength, keepParallel }),
        null: unconditional,
      };
    };
    return {
      network,
      names: lucidNames(network),
      layers: { adds: (name) => /^(downs|ups)\.\d+\.2$|^mid_attn$/.test(name) },
      passes: {
        "": (pass) => ({
          out: network.forward(pass.graph, { ...inputs(pass), labels: pass.indices("y") }),
        }),
        "drop": (pass) => ({
          out: network.forward(pass.graph, { ...inputs(pass), labels: kept(pass) }),
        }),
        "p_losses": (pass) =>
          weightedLoss(
            pass,
            (x, level) => network.forward(pass.graph, { x, level, labels: kept(pass) }),
          ),
      },
      passOf: ({ sampling_timesteps, cond_scale }) =>
        sampling_timesteps !== undefined
          ? (pass) => ({ out: ddimSample(pass, network) })
          : cond_scale !== undefined
          ? guided
          : undefined,
    };
  },
};

/** Schedules there, and here. */
const SCHEDULES: Readonly<Record<string, ScheduleName>> = {
  linear: "linear-scaled",
  cosine: "cosine",
};

/** Objectives there and targets here. */
const TARGETS = { pred_noise: "epsilon", pred_x0: "x0", pred_v: "v" } as const;

/** Arguments of `GaussianDiffusion` that change nothing here, or are told where they matter. */
const APART: readonly string[] = [
  ...["image_size", "auto_normalize", "sampling_timesteps"],
  ...["ddim_sampling_eta", "use_cfg_plus_plus"],
];

/** Arguments of `GaussianDiffusion` as recorded. */
type RecordedProcess = Partial<{
  timesteps: number;
  objective: keyof typeof TARGETS;
  beta_schedule: string;
  min_snr_loss_weight: boolean;
  min_snr_gamma: number;
}>;

/**
 * The process that `GaussianDiffusion` makes.
 *
 * @throws {Unsupported} For arguments that are not known.
 */
function processOf(args: RecordedProcess): Process {
  const {
    timesteps = 1000,
    objective = "pred_noise",
    beta_schedule = "cosine",
    min_snr_loss_weight: minSnr = false,
    min_snr_gamma: snrGamma = 5,
    ...others
  } = args;
  const strange = Object.entries(others).find(([key, value]) => value && !APART.includes(key))?.[0];
  const schedule = SCHEDULES[beta_schedule];
  if (strange !== undefined || !schedule) {
    throw new Unsupported(`${strange ?? beta_schedule} of the process is not known`);
  }
  return makeProcess({
    ...{ timesteps, schedule, betaStart: 1e-4, betaEnd: 0.02, target: TARGETS[objective] },
    ...{ weighting: minSnr ? "min-snr" : "uniform", weightingOptions: { snrGamma } },
    ...{ variance: "fixedsmall", clipX0: true },
  });
}

/** `GaussianDiffusion.p_losses`: the mean of its squares, weighted by level, image by image. */
function weightedLoss(pass: Pass, ask: (x: Tensor, level: TensorRef) => Tensor) {
  const { graph } = pass, { capture } = graph;
  const process = processOf(pass.args as RecordedProcess);
  const onGpu = process.onGpu(capture.gpu);
  const rows = pass.indices("t");
  const [x0, noise] = ["x0", "noise"].map((name) => pass.constant(name).ref);
  const { target, weight } = process.tables;
  const wanted = onGpu.combine(capture, rows, [
    { share: target.x0, x: x0! },
    { share: target.noise, x: noise! },
  ]);
  const output = ask(graph.constant(onGpu.noised(capture, x0!, noise!, rows)), rows);
  const error = add(output, scale(graph.constant(wanted), -1));
  const losses = mean(mul(error, error), { axes: [1, 2, 3] });
  const factors = Float32Array.from(pass.recorded("t"), (t) => weight?.[t] ?? 1);
  const weights = graph.constant(capture.constant([factors.length], factors, "weights"));
  const out = mul(losses, weights);
  return { out, loss: mean(out) };
}

/** `GaussianDiffusion.ddim_sample`, unrolled: the guided steps of DDIM on recorded noise, to [0, 1]. */
function ddimSample(pass: Pass, network: LucidUNet): TensorRef {
  const {
    sampling_timesteps,
    ddim_sampling_eta: eta = 1,
    use_cfg_plus_plus: plus = false,
    cond_scale: scale = 6,
    rescaled_phi: rescale = 0.7,
    clip_denoised: clipX0 = true,
    ...others
  } = pass.args as
    & RecordedProcess
    & Partial<{
      sampling_timesteps: number | null;
      ddim_sampling_eta: number;
      use_cfg_plus_plus: boolean;
      cond_scale: number;
      rescaled_phi: number;
      clip_denoised: boolean;
    }>;
  const process = { ...processOf(others), clipX0 };
  const { graph, graph: { capture } } = pass, labels = pass.indices("y");
  const steps = sampling_timesteps ?? process.schedule.values.length;
  const [n = 0] = labels.shape, channels = network.shape.channels;
  const nothing = capture.constant(
    [n],
    new Uint32Array(n).fill(network.options.classes),
    "no classes",
  );
  const onGpu = process.onGpu(capture.gpu);
  // Noise that the network predicts goes on as it is, whatever its image is clipped to.
  const noiseOfClipped = (others.objective ?? "pred_noise") !== "pred_noise";
  const options = { steps, eta, spacing: "linspace", noiseOfClipped } as const;
  let x = pass.slice("z", 0);
  for (const [i, step] of ddimSteps(options, process).entries()) {
    const level = capture.constant([n], new Uint32Array(n).fill(step.timestep), `level ${i}`);
    const predict = (labels: TensorRef) =>
      network.forward(graph, { x: graph.constant(x), level, labels }).ref;
    const conditional = predict(labels);
    const unconditional = scale === 1 ? conditional : predict(nothing);
    const f = scale === 1 ? conditional : guide(
      capture,
      { conditional, unconditional },
      { scale, rescale, channels, keepParallel: 0 },
    );
    const z = step.noise === 0 ? x : pass.slice("z", 1 + i);
    const { signal } = process.schedule.at(step.previous);
    const values = plus ? unguidedNoiseScalars(step, signal) : samplerScalars(step);
    const scalars = capture.constant([values.length], values, `step ${i}`);
    x = onGpu.step(capture, { x, f, z, ...plus && { unguided: unconditional } }, scalars);
  }
  const half = graph.constant(capture.constant([1], Float32Array.of(0.5), "half"));
  return add(mul(graph.constant(x), half), half).ref;
}

/** `Unet1D` of denoising_diffusion_pytorch_1d.py. */
export const LUCID_SIGNALS: RecordedNetwork = {
  family: "lucid-1d",
  rebuild(golden) {
    const network = build(golden, "signals");
    const line = (x: Tensor) => {
      const [n = 0, length = 0, channels = 0] = x.shape;
      return reshape(x, [n, 1, length, channels]);
    };
    return {
      network,
      names: lucidNames(network),
      layers: { adds: (name) => /^(downs|ups)\.\d+\.2$|^mid_attn$/.test(name) },
      passes: {
        "": (pass) => {
          const inputs = { x: line(pass.image("x")), level: pass.level("t") };
          const known = network.options.selfCondition && pass.has("x_self_cond");
          const more = known ? { selfCondition: line(pass.constant("x_self_cond")) } : {};
          const out = network.forward(pass.graph, { ...inputs, ...more });
          const [n = 0, , length = 0, channels = 0] = out.shape;
          return { out: reshape(out, [n, length, channels]) };
        },
      },
    };
  },
};

/** `Unet` of denoising_diffusion_pytorch.py. */
export const LUCIDRAINS: RecordedNetwork = {
  family: "lucidrains",
  rebuild(golden) {
    const network = build(golden, "pytorch");
    return {
      network,
      names: lucidNames(network),
      passes: {
        "": (pass) => {
          const known = network.options.selfCondition;
          const inputs = { x: pass.image("x"), level: pass.level("t") };
          const forward = (more = {}) => network.forward(pass.graph, { ...inputs, ...more });
          if (!known) return { out: forward() };
          return {
            out: forward({ selfCondition: pass.constant("x_self_cond") }),
            out_no_self_cond: forward(),
          };
        },
      },
    };
  },
};
