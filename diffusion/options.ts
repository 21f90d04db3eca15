/**
 * What a run may choose about its diffusion process, its objective and its sampler.
 *
 * @module
 */
import {
  type Check,
  choice,
  decimal,
  either,
  flag,
  integer,
  nullable,
  option,
  type OptionsOf,
  section,
  type Warning,
} from "../support/options.ts";
import { LOSSES, type LossKind } from "../kernels/reduce/losses.ts";
import { AUXILIARY, type AuxiliaryOptions } from "./auxiliary/registry.ts";
import { DUAL_OUTPUT_LOSS, dualIsPlain } from "./dual_output.ts";
import { learnedSchedule } from "./learned_rules.ts";
import { LOSS_QUANTITIES } from "./loss_quantity.ts";
import { NOISE } from "./noises/registry.ts";
import { XPREV_OUTPUTS } from "./parameterization.ts";
import { PARAMETERIZATIONS, TARGET_NAMES } from "./parameterizations/registry.ts";
import { isLearned, LEARNED_VARIANCES, VARIANCE_NAMES } from "./posterior.ts";
import {
  FORWARD_OPTIONS,
  FORWARD_PROCESS_NAMES,
  FORWARD_PROCESSES,
  isBanded,
} from "./processes/registry.ts";
import { SIGMA_DATA } from "./preconditionings/edm.ts";
import { SAMPLER, type SamplerOptions, SAMPLERS } from "./samplers/registry.ts";
import {
  isContinuous,
  makeSchedule,
  SCHEDULE_FIELDS,
  scheduleChecks,
} from "./schedules/registry.ts";
import type { LearnedLogSnr } from "./schedules/learned.ts";
import { SPECTRAL_FORCING } from "./spectral_forcing.ts";
import { SPECTRAL_LOSS } from "./spectral_loss_options.ts";
import { TIMESTEP_SAMPLER } from "./timesteps/registry.ts";
import { WEIGHTING_NAMES, WEIGHTING_OPTIONS } from "./weightings/registry.ts";

export { TARGET_NAMES, type TargetName } from "./parameterizations/registry.ts";
export {
  type LearnedVariance,
  type ReverseVariance,
  VARIANCE_NAMES,
  type VarianceName,
} from "./posterior.ts";
export {
  SAMPLER,
  SAMPLER_NAMES,
  type SamplerName,
  type SamplerOptions,
} from "./samplers/registry.ts";
export { SCHEDULE_NAMES, type ScheduleName, type ScheduleOptions } from "./schedules/registry.ts";
export { SPACING_NAMES, type SpacingName } from "./spacing.ts";
export {
  SPECTRAL_MODE_NAMES,
  type SpectralLossOptions,
  SPECTRUM_NAMES,
} from "./spectral_loss_options.ts";
export {
  TIMESTEP_SAMPLER,
  TIMESTEP_SAMPLER_NAMES,
  type TimestepOptions,
  type TimestepSamplerName,
} from "./timesteps/registry.ts";
export { WEIGHTING_NAMES, type WeightingName } from "./weightings/registry.ts";

/** The loss of a sample's norm: autograd/ops/norm_huber.ts. */
export const NORM_HUBER = "norm-huber";

const LOSS_NAMES: readonly [LossKind, ...(LossKind | typeof NORM_HUBER)[]] = [
  ...Object.keys(LOSSES) as [LossKind],
  NORM_HUBER,
];

const FIELDS = {
  ...SCHEDULE_FIELDS,
  objective: option(
    choice(["denoising", "unrolled"]),
    "denoising",
    "What is trained: each level by itself, or a chain of networks from noise to image at once",
  ),
  layerLossFactor: option(decimal({ above: 0 }), 1, "unrolled: what all losses are multiplied by"),
  process: option(
    choice(FORWARD_PROCESS_NAMES),
    "ddpm",
    "How frequencies are noised: alike, or as docs/processes.md says",
  ),
  processOptions: FORWARD_OPTIONS,
  target: option(choice(TARGET_NAMES), "epsilon", "What the network outputs"),
  dualOutput: DUAL_OUTPUT_LOSS,
  xprevOutput: option(
    choice(XPREV_OUTPUTS),
    "residual",
    "Target xprev: what the noisy image does not tell of it, or the mean itself as in pytorch-ddpm",
  ),
  weighting: option(
    choice(WEIGHTING_NAMES),
    "uniform",
    "What the loss is multiplied by at each noise level",
  ),
  weightingOptions: WEIGHTING_OPTIONS,
  sigmaData: option(
    decimal({ above: 0 }),
    SIGMA_DATA,
    "Standard deviation of the images, for targets edm and xprev and weightings edm and soft-min-snr",
  ),
  lossOn: option(
    choice(LOSS_QUANTITIES),
    "output",
    "What the loss compares: the output, or what it implies",
  ),
  lossLimit: option(
    nullable(decimal({ above: 0 })),
    20,
    "Largest share of the output in what lossOn compares; null = any",
  ),
  lossLimitTarget: option(flag(), true, "Scale what the output should imply with it"),
  /** Averaged over everything. */
  loss: option(choice(LOSS_NAMES), "mse", "The elementwise loss; norm-huber is of a sample's norm"),
  lossScale: option(
    decimal({ above: 0 }),
    1,
    "huber, smooth-l1: where it turns linear; c of pseudo-huber, norm-huber; scale of laplace-nll",
  ),
  noise: NOISE,
  selfConditionBy: option(
    choice(["sample", "batch"]),
    "sample",
    "Networks of self-conditioning: whether each sample or a whole batch is told or not",
  ),
  timestepSampler: TIMESTEP_SAMPLER,
  spectralForcing: SPECTRAL_FORCING,
  spectralLoss: SPECTRAL_LOSS,
  auxiliary: AUXILIARY,
  /** For `reweighted` and the spectrum loss. */
  tMax: option(
    either(choice(["auto"]), integer({ min: 1 }), '"auto" or a whole number of at least 1'),
    "auto",
    "Timesteps below it count as those of high frequencies; auto = found from the data",
  ),
  variance: option(
    choice([...VARIANCE_NAMES, ...LEARNED_VARIANCES]),
    "fixedlarge",
    "Variance of a ddpm step; learned ones are trained, by networks of twice the channels",
  ),
  /** Nichol and Dhariwal 2021, section 3.2: L_simple + lambda L_vlb, the latter a sum over timesteps. */
  vlbWeight: option(
    decimal({ min: 0 }),
    0.001,
    "Learned variances: weight of the variational bound, in bits a value, in the loss",
  ),
  vlbFloor: option(
    nullable(decimal({ above: 0 })),
    null,
    "learned-range: least variance at timestep 0; null = that of timestep 1",
  ),
  clipX0: option(flag(), true, "Clip the predicted x0 while sampling"),
  sampler: SAMPLER,
};

/** @internal */
type Described = OptionsOf<typeof FIELDS>;

/** Options of the diffusion process of a run. */
export type DiffusionOptions = Omit<Described, "sampler" | "auxiliary"> & {
  auxiliary: AuxiliaryOptions;
  sampler: SamplerOptions;
  /** What schedule `learned` has learned; a checkpoint holds it, a config does not. */
  readonly learnedLogSnr?: LearnedLogSnr;
};

/** Whether anything in `options` depends on `tMax`. */
export function usesTMax({ timestepSampler, spectralLoss }: DiffusionOptions): boolean {
  return timestepSampler.name === "reweighted" || spectralLoss.lambda > 0;
}

const samplerStepsExist: Check<DiffusionOptions> = ({ timesteps, sampler }, at) => {
  const { name, steps } = sampler;
  if (steps === null || steps === timesteps) return null;
  const key = "sampler.steps";
  if (SAMPLERS[name].steps === null) {
    const hint = `${name} takes every timestep; ddim with eta 1 is the sampler that skips`;
    return { key, rule: `be null or ${timesteps} for ${name}`, hint };
  }
  return steps < timesteps ? null : { key, rule: `be at most ${at("timesteps")}, ${timesteps}` };
};

const targetHasSignal: Check<DiffusionOptions> = (options) => {
  if (!PARAMETERIZATIONS[options.target].needsSignal) return null;
  const { levels } = makeSchedule(options);
  return levels.at(-1)!.signal > 0 ? null : {
    key: "target",
    rule: `be another for schedule ${options.schedule} as it is, whose last level has no signal`,
    hint: "v, velocity and x0 need none",
  };
};

const targetHasTimesteps: Check<DiffusionOptions> = ({ target, schedule }) =>
  PARAMETERIZATIONS[target].needsTimesteps && isContinuous(schedule)
    ? {
      key: "target",
      rule: `be another for schedule ${schedule}, whose levels are continuous`,
      hint: "it is about the timestep before",
    }
    : null;

const boundHasDensity: Check<DiffusionOptions> = ({ variance, noise }) =>
  !isLearned(variance) || noise.name === "gaussian" ? null : {
    key: "variance",
    rule:
      "be one that is not learned where the noise is not gaussian, whose bound it is trained by",
  };

/** Where a chain is trained, whose loss is the square of the noise at every level. */
const UNROLLED_NEEDS = {
  process: "ddpm",
  target: "epsilon",
  weighting: "uniform",
  lossOn: "output",
  loss: "mse",
} as const;

const chainIsPlain: Check<DiffusionOptions> = (options) => {
  if (options.objective !== "unrolled") return null;
  for (const [key, only] of Object.entries(UNROLLED_NEEDS)) {
    if (options[key as keyof typeof UNROLLED_NEEDS] === only) continue;
    return { key, rule: `be ${only} for objective unrolled` };
  }
  if (options.timestepSampler.name !== "uniform") {
    return { key: "timestepSampler.name", rule: "be uniform for objective unrolled" };
  }
  if (options.spectralLoss.lambda > 0) {
    return { key: "spectralLoss.lambda", rule: "be 0 for objective unrolled" };
  }
  if (options.spectralForcing.on) {
    return { key: "spectralForcing.on", rule: "be false for objective unrolled" };
  }
  if (isLearned(options.variance)) {
    return { key: "variance", rule: "be one that is not learned for objective unrolled" };
  }
  return !makeSchedule(options).condition ? null : {
    key: "schedule",
    rule: "be one of counted timesteps for objective unrolled",
  };
};

const tMaxIsInside: Check<DiffusionOptions> = (options, at) => {
  const { tMax, timesteps } = options;
  return !usesTMax(options) || tMax === "auto" || tMax < timesteps
    ? null
    : { key: "tMax", rule: `be below ${at("timesteps")}, ${timesteps}` };
};

const binsFitTimesteps: Check<DiffusionOptions> = ({ timestepSampler, timesteps }, at) =>
  timestepSampler.name !== "adaptive" || timestepSampler.bins <= timesteps ? null : {
    key: "timestepSampler.bins",
    rule: `be at most ${at("timesteps")}, ${timesteps}`,
  };

/** Targets that scale what the network is given, by one number a level. */
const SCALED_TARGETS: readonly string[] = ["edm", "scaled-epsilon"];

/** Why processes that differ by frequency have no variational bound. */
export const NO_BOUND =
  "coloured noise ties pixels together, so that the likelihood of their bytes has no closed form";

/** What processes that differ by frequency do without. */
const frequenciesMayDiffer: Check<DiffusionOptions> = (options) => {
  const { process, processOptions, schedule, target, variance, spectralLoss, sampler } = options;
  const { auxiliary } = options;
  if (!isBanded(process)) return null;
  const why = `where process is ${process}, which differs by frequency`;
  if (isContinuous(schedule)) {
    return { key: "schedule", rule: `be one of counted timesteps ${why}` };
  }
  if (SCALED_TARGETS.includes(target)) {
    return { key: "target", rule: `be one that leaves the network's input as it is ${why}` };
  }
  if (target === "dual-output") {
    const hint = "it is read pixel by pixel; x0, v and velocity go with it";
    return { key: "target", rule: `be one of a single output ${why}`, hint };
  }
  if (isLearned(variance)) {
    const hint = `it is trained by the variational bound, but ${NO_BOUND}`;
    return { key: "variance", rule: `be one that is not learned ${why}`, hint };
  }
  if (spectralLoss.lambda > 0) {
    const hint = "its steps are of one level; losses of diffusion.auxiliary work at every level";
    return { key: "spectralLoss.lambda", rule: `be 0 ${why}`, hint };
  }
  const byLoss = Object.entries(auxiliary).find(([, { weight, levels }]) =>
    weight > 0 && levels === "loss"
  );
  if (byLoss) {
    return {
      key: `auxiliary.${byLoss[0]}.levels`,
      rule: `be noise or image ${why}: a level of the loss is not one number there`,
    };
  }
  if (sampler.threshold != null) return { key: "sampler.threshold", rule: `be null ${why}` };
  if (!FORWARD_PROCESSES[process].endsInImages) return null;
  if (PARAMETERIZATIONS[target].needsSignal) {
    return {
      key: "target",
      rule: `be x0, v or velocity for process ${process}, whose fine detail is gone without noise`,
    };
  }
  return processOptions.calibrate
    ? {
      key: "processOptions.calibrate",
      rule: `be false for process ${process}, whose noise is its own`,
    }
    : null;
};

/** The noise that a network is to tell should be there to see. */
const noiseIsSeen: Warning<DiffusionOptions> = ({ spectralForcing, target }, at) =>
  spectralForcing.on && PARAMETERIZATIONS[target].needsSignal
    ? `${at("spectralForcing.on")} hides noise that the network must tell for ${at("target")} ` +
      `${target}, so that samples keep it; v, velocity and x0 go with it`
    : null;

/** A network can learn the mean itself, but late. */
const meanIsCopied: Warning<DiffusionOptions> = ({ target, xprevOutput }, at) =>
  target === "xprev" && xprevOutput === "mean"
    ? `${
      at("xprevOutput")
    } mean asks the network to copy its input to a part in a thousand before it ` +
      "learns anything of images: short training draws noise; residual has the same loss and learns at once"
    : null;

/** The score is as large as the noise is small, so that its plain square counts little else. */
const scoreIsWeighted: Warning<DiffusionOptions> = ({ target, weighting, lossOn }, at) =>
  target === "score" && weighting === "uniform" && lossOn === "output"
    ? `${
      at("target")
    } score without a weighting counts levels by 1 / noise^2, so that the loss jumps by ` +
      `the least noise that a batch has; ${at("lossOn")} epsilon counts them alike`
    : null;

/** The diffusion process of a run. */
export const DIFFUSION = section("The diffusion process", FIELDS, {
  checks: [
    scheduleChecks,
    targetHasSignal,
    targetHasTimesteps,
    samplerStepsExist,
    boundHasDensity,
    dualIsPlain,
    chainIsPlain,
    learnedSchedule,
    tMaxIsInside,
    binsFitTimesteps,
    frequenciesMayDiffer,
  ],
  warnings: [noiseIsSeen, meanIsCopied, scoreIsWeighted],
});
