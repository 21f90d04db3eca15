/**
 * The noise schedule of a diffusers pipeline, its `scheduler_config.json`, in the words of our config.
 *
 * @module
 */
import type { DiffusionOptions } from "../../../diffusion/options.ts";
import type { Json } from "./diffusers_files.ts";

/** Our schedules under their names there. */
const SCHEDULES: Readonly<Record<string, string>> = {
  "linear-torch": "linear",
  linear: "linear",
  cosine: "squaredcos_cap_v2",
  "scaled-linear": "scaled_linear",
  quadratic: "scaled_linear",
};
const TARGETS: Readonly<Record<string, string>> = {
  epsilon: "epsilon",
  x0: "sample",
  v: "v_prediction",
};
const VARIANCES: Readonly<Record<string, string>> = {
  fixedlarge: "fixed_large",
  fixedsmall: "fixed_small",
};

/** Values that say the same as another: it takes a logarithm and undoes it. */
const SAME: Readonly<Record<string, string>> = { fixed_small_log: "fixed_small" };

/**
 * The config of a `DDPMScheduler`.
 *
 * @throws {RangeError} When it cannot describe the process.
 */
export function schedulerConfig(options: DiffusionOptions): Json {
  const prediction = TARGETS[options.target];
  if (prediction === undefined) {
    throw new RangeError(
      `Cannot write a diffusers DDPMScheduler: diffusion.target must be ${
        Object.keys(TARGETS).join(" or ")
      }, got ${options.target}`,
    );
  }
  const trained = options.schedule === "trained";
  const schedule = trained ? "linear" : SCHEDULES[options.schedule];
  if (schedule === undefined) {
    throw new RangeError(
      `Cannot write a diffusers DDPMScheduler: diffusion.schedule must be ${
        [...Object.keys(SCHEDULES), "trained"].join(" or ")
      }, got ${options.schedule}`,
    );
  }
  const { shift, zeroTerminalSnr, betas } = options.scheduleOptions;
  const { clipRange = 1, threshold = null, thresholdMax } = options.sampler;
  if (shift !== 1) {
    throw new RangeError(
      `Cannot write a diffusers DDPMScheduler: diffusion.scheduleOptions.shift must be 1, got ${shift}`,
    );
  }
  return {
    _class_name: "DDPMScheduler",
    _diffusers_version: "0.24.0",
    beta_end: options.betaEnd,
    beta_schedule: schedule,
    beta_start: options.betaStart,
    clip_sample: options.clipX0,
    clip_sample_range: clipRange,
    ...(threshold === null
      ? {}
      : { dynamic_thresholding_ratio: threshold, sample_max_value: thresholdMax }),
    num_train_timesteps: options.timesteps,
    prediction_type: prediction,
    ...(zeroTerminalSnr ? { rescale_betas_zero_snr: true } : {}),
    steps_offset: 0,
    thresholding: threshold !== null,
    // Others would leave out the last timestep, which alone has no signal.
    timestep_spacing: zeroTerminalSnr ? "trailing" : "leading",
    trained_betas: trained ? betas : null,
    variance_type: varianceOf(options),
  };
}

function varianceOf({ variance }: DiffusionOptions): string {
  const name = VARIANCES[variance];
  if (name !== undefined) return name;
  throw new RangeError(
    `Cannot write a diffusers DDPMScheduler: diffusion.variance must be ${
      Object.keys(VARIANCES).join(" or ")
    }, got ${variance}`,
  );
}

/** Classes that add noise by the same formulas, each with the sampler of ours that is theirs. */
const CLASSES: Readonly<Record<string, string | null>> = {
  DDPMScheduler: "ddpm",
  DDIMScheduler: "ddim",
  DPMSolverMultistepScheduler: "dpmpp-2m",
  DEISMultistepScheduler: null,
  DPMSolverSinglestepScheduler: null,
  EulerAncestralDiscreteScheduler: null,
  EulerDiscreteScheduler: null,
  HeunDiscreteScheduler: null,
  LMSDiscreteScheduler: null,
  PNDMScheduler: null,
  UniPCMultistepScheduler: null,
};

/** What a scheduler's config says about our process. */
export interface FoundScheduler {
  readonly diffusion: { readonly timesteps: number } & Readonly<Record<string, unknown>>;
  /** Its class where no sampler of ours is that one. */
  readonly foreign: string | null;
}

/**
 * Reads the config of a scheduler.
 *
 * @param refuse Is told of each key that asks for what the process cannot do: the key, the rule that
 *   it must obey, its value.
 */
export function fromScheduler(
  config: Json,
  refuse: (key: string, rule: string, value: unknown) => void,
): FoundScheduler {
  const value = (key: string) => Object.hasOwn(config, key) ? config[key] : undefined;
  const one = (key: string, names: Readonly<Record<string, string>>, fallback: string) => {
    const given = value(key) ?? fallback, text = String(given);
    const meant = Object.hasOwn(SAME, text) ? SAME[text] : given;
    const own = Object.keys(names).find((name) => names[name] === meant);
    if (own === undefined) {
      refuse(key, `be one of ${[...new Set(Object.values(names))].join(", ")}`, given);
    }
    return own;
  };
  const name = value("_class_name");
  const known = typeof name === "string" && Object.hasOwn(CLASSES, name);
  if (!known) refuse("_class_name", "be DDPMScheduler or another one with its noise", name);
  const sampler = known ? CLASSES[name]! : null;
  const timesteps = value("num_train_timesteps") ?? 1000;
  if (typeof timesteps !== "number" || !Number.isSafeInteger(timesteps)) {
    refuse("num_train_timesteps", "be a whole number", timesteps);
  }
  const betas = value("trained_betas") ?? null;
  const scheduleOptions = {
    ...(betas === null ? {} : { betas }),
    ...(value("rescale_betas_zero_snr") === true ? { zeroTerminalSnr: true } : {}),
  };
  const skips = sampler !== null && sampler !== "ddpm";
  const how = { ...boundsOf(value), ...(skips ? spacingOf(value, sampler) : {}) };
  return {
    diffusion: {
      timesteps: Number(timesteps),
      schedule: betas === null ? one("beta_schedule", SCHEDULES, "linear") : "trained",
      ...(Object.keys(scheduleOptions).length > 0 ? { scheduleOptions } : {}),
      betaStart: value("beta_start") ?? 1e-4,
      betaEnd: value("beta_end") ?? 0.02,
      target: one("prediction_type", TARGETS, "epsilon"),
      ...(sampler === "ddpm" ? { variance: one("variance_type", VARIANCES, "fixed_small") } : {}),
      clipX0: value("clip_sample") ?? true,
      ...(skips
        ? { sampler: { name: sampler, steps: Math.min(50, Number(timesteps)), ...how } }
        : Object.keys(how).length > 0
        ? { sampler: { name: "ddpm", ...how } }
        : {}),
    },
    foreign: known && sampler === null ? name : null,
  };
}

type ValueOf = (key: string) => unknown;

/** Where predicted images are held, where that is not [-1, 1]. */
function boundsOf(value: ValueOf): Readonly<Record<string, unknown>> {
  if (value("thresholding") === true) {
    return {
      threshold: value("dynamic_thresholding_ratio") ?? 0.995,
      thresholdMax: value("sample_max_value") ?? 1,
    };
  }
  const range = value("clip_sample_range") ?? 1;
  return range === 1 ? {} : { clipRange: range };
}

/** How a sampler that skips picks its timesteps, where that is not as ever. */
function spacingOf(value: ValueOf, sampler: string): Readonly<Record<string, unknown>> {
  const spacing = value("timestep_spacing"), offset = value("steps_offset") ?? 0;
  if (spacing === "trailing") return { spacing };
  if (sampler !== "ddim" || (spacing ?? "leading") !== "leading" || offset === 0) return {};
  return { spacing: "leading", offset };
}
