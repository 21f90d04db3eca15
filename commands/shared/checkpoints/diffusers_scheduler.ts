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
};
const TARGETS: Readonly<Record<string, string>> = { epsilon: "epsilon", x0: "sample" };
const VARIANCES: Readonly<Record<string, string>> = {
  fixedlarge: "fixed_large",
  fixedsmall: "fixed_small",
};

/**
 * The config of a `DDPMScheduler`.
 *
 * @throws {RangeError} When it cannot describe the process.
 */
export function schedulerConfig(options: DiffusionOptions): Json {
  const prediction = TARGETS[options.target];
  if (prediction === undefined) {
    throw new RangeError(
      `Cannot write a diffusers DDPMScheduler: diffusion.target must be epsilon or x0, got ${options.target}`,
    );
  }
  const schedule = SCHEDULES[options.schedule];
  if (schedule === undefined) {
    throw new RangeError(
      `Cannot write a diffusers DDPMScheduler: diffusion.schedule must be ${
        Object.keys(SCHEDULES).join(" or ")
      }, got ${options.schedule}`,
    );
  }
  const { shift, zeroTerminalSnr } = options.scheduleOptions;
  if (shift !== 1 || zeroTerminalSnr) {
    throw new RangeError(
      "Cannot write a diffusers DDPMScheduler: diffusion.scheduleOptions must leave the levels as " +
        `they are, got shift ${shift} and zeroTerminalSnr ${zeroTerminalSnr}`,
    );
  }
  return {
    _class_name: "DDPMScheduler",
    _diffusers_version: "0.24.0",
    beta_end: options.betaEnd,
    beta_schedule: schedule,
    beta_start: options.betaStart,
    clip_sample: options.clipX0,
    clip_sample_range: 1,
    num_train_timesteps: options.timesteps,
    prediction_type: prediction,
    steps_offset: 0,
    thresholding: false,
    timestep_spacing: "leading",
    trained_betas: null,
    variance_type: VARIANCES[options.variance],
  };
}

/** What must have one value for our samplers, and what is taken where it is left out. */
const FIXED: Json = {
  clip_sample_range: 1,
  rescale_betas_zero_snr: false,
  thresholding: false,
  trained_betas: null,
};

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
    const given = value(key) ?? fallback;
    const own = Object.keys(names).find((name) => names[name] === given);
    if (own === undefined) {
      refuse(key, `be one of ${[...new Set(Object.values(names))].join(", ")}`, given);
    }
    return own;
  };
  const name = value("_class_name");
  const known = typeof name === "string" && Object.hasOwn(CLASSES, name);
  if (!known) refuse("_class_name", "be DDPMScheduler or another one with its noise", name);
  const sampler = known ? CLASSES[name]! : null;
  for (const [key, own] of Object.entries(FIXED)) {
    const given = value(key) ?? own;
    if (given !== own) refuse(key, `be ${JSON.stringify(own)}`, given);
  }
  const timesteps = value("num_train_timesteps") ?? 1000;
  if (typeof timesteps !== "number" || !Number.isSafeInteger(timesteps)) {
    refuse("num_train_timesteps", "be a whole number", timesteps);
  }
  return {
    diffusion: {
      timesteps: Number(timesteps),
      schedule: one("beta_schedule", SCHEDULES, "linear"),
      betaStart: value("beta_start") ?? 1e-4,
      betaEnd: value("beta_end") ?? 0.02,
      target: one("prediction_type", TARGETS, "epsilon"),
      ...(sampler === "ddpm" ? { variance: one("variance_type", VARIANCES, "fixed_small") } : {}),
      clipX0: value("clip_sample") ?? true,
      ...(sampler === null || sampler === "ddpm"
        ? {}
        : { sampler: { name: sampler, steps: Math.min(50, Number(timesteps)) } }),
    },
    foreign: known && sampler === null ? name : null,
  };
}
