/**
 * What each of diffusers' schedulers does, in our terms: a path from its config, and our solver on it.
 *
 * @module
 */
import { isEvaluation, type Move, type Shares } from "../../diffusion/moves.ts";
import type { NumberedLevel, Path, Stop } from "../../diffusion/path.ts";
import { ancestralMoves } from "../../diffusion/samplers/ancestral.ts";
import { consistencyMoves } from "../../diffusion/samplers/consistency.ts";
import { ddimMoves } from "../../diffusion/samplers/ddim.ts";
import { deisMoves } from "../../diffusion/samplers/deis.ts";
import { dpmMultistep } from "../../diffusion/samplers/dpm_multistep.ts";
import { eulerMoves } from "../../diffusion/samplers/euler.ts";
import { eulerAncestralMoves } from "../../diffusion/samplers/euler_ancestral.ts";
import { heunMoves } from "../../diffusion/samplers/heun.ts";
import { lmsMoves } from "../../diffusion/samplers/lms.ts";
import { pndmMoves } from "../../diffusion/samplers/pndm.ts";
import { unipcMoves } from "../../diffusion/samplers/unipc.ts";
import { combine } from "../../diffusion/shares.ts";
import { roundHalfToEven } from "../../diffusion/spacing.ts";
import {
  alphasOf,
  evenly,
  numberOf,
  respaced,
  type SchedulerConfig,
  sigmasAt,
  sigmasOf,
  solverTimesteps,
  type Spaced,
  spacedTimesteps,
  timestepsOf,
  varianceLevel,
} from "./diffusers_noise.ts";
import { Unsupported } from "./golden.ts";
import { boundedBy, type SchedulerCase, type SchedulerPlan } from "./scheduler_case.ts";
import { numbered, recordedPath, stopOf } from "./solver_path.ts";

/** A level of a power of the signal. */
const levelOfPower = (power: number) => ({ signal: Math.sqrt(power), noise: Math.sqrt(1 - power) });

/** The number of the level beyond the last timestep. */
const CLEAN = -1;

/** Refuses what a call is told beside what is known. */
function only(given: Readonly<Record<string, unknown>>, known: readonly string[]): void {
  const strange = Object.keys(given).find((key) => !known.includes(key) && given[key] !== null);
  if (strange) throw new Unsupported(`${strange} ${JSON.stringify(given[strange])} is not known`);
}

/** Timesteps that a case names itself. */
const givenTimesteps = ({ set_timesteps: { timesteps } }: SchedulerCase) =>
  (timesteps ?? null) as readonly number[] | null;

/** How a case spaces its timesteps. */
function spacedOf(given: SchedulerCase): Spaced {
  const { config_full: config, set_timesteps: set } = given;
  only(set, ["num_inference_steps", "timesteps"]);
  return {
    spacing: String(config.timestep_spacing ?? "linspace"),
    steps: givenTimesteps(given)?.length ?? Number(set.num_inference_steps),
    offset: numberOf({ steps_offset: 0, ...config }, "steps_offset"),
    count: numberOf(config, "num_train_timesteps"),
  };
}

/** The config and the timesteps of a case that goes by timesteps, and what it predicts. */
function counted(given: SchedulerCase) {
  const { config_full: config } = given;
  const spaced = spacedOf(given), alphas = alphasOf(config);
  const timesteps = givenTimesteps(given) ?? spacedTimesteps(spaced);
  const prediction = String(config.prediction_type);
  const clip = Boolean(config.thresholding) || Boolean(config.clip_sample);
  const stop = (t: number, to?: NumberedLevel): Stop => ({
    ...stopOf(levelOfPower(alphas[t]!), t, prediction),
    ...to && { to },
  });
  const end = numbered(levelOfPower(config.set_alpha_to_one === false ? alphas[0]! : 1), CLEAN);
  const level = (t: number) => t >= 0 ? numbered(levelOfPower(alphas[t]!), t) : end;
  return { ...{ config, spaced, timesteps, prediction, clip, stop, end, level } };
}

const VARIANCES: Readonly<Record<string, Parameters<typeof ancestralMoves>[1]["variance"]>> = {
  fixed_small: "fixedsmall",
  // It takes a logarithm and undoes it.
  fixed_small_log: "fixedsmall",
  fixed_large: "fixedlarge",
  learned: "own",
  learned_range: "learned-range",
};

function ddpm(given: SchedulerCase): SchedulerPlan {
  only(given.step_kwargs, []);
  const { config, timesteps, clip, stop } = counted(given);
  const variance = VARIANCES[String(config.variance_type)];
  if (!variance) throw new Unsupported(`variance_type ${config.variance_type} is not known`);
  const path = recordedPath(timesteps.map((t) => stop(t)), numbered(levelOfPower(1), CLEAN), {
    clip,
  });
  const noisyEnd = timesteps.at(-1)! > 0;
  return { moves: boundedBy(config, ancestralMoves(path, { variance, noisyEnd })), start: 1 };
}

function ddim(given: SchedulerCase): SchedulerPlan {
  only(given.step_kwargs, ["eta", "use_clipped_model_output"]);
  const { eta = 0, use_clipped_model_output: noiseOfClipped = false } = given.step_kwargs;
  const { config, timesteps, clip, stop, end, level, spaced } = counted(given);
  if (givenTimesteps(given)) throw new Unsupported("DDIM's own timesteps are not known");
  const stride = Math.floor(spaced.count / spaced.steps);
  const path = recordedPath(timesteps.map((t) => stop(t, level(t - stride))), end, { clip });
  const moves = ddimMoves(path, { eta: Number(eta), noiseOfClipped: Boolean(noiseOfClipped) });
  return { moves: boundedBy(config, moves), start: 1 };
}

function pndm(given: SchedulerCase): SchedulerPlan {
  only(given.step_kwargs, []);
  const { config, timesteps, stop, end, level, spaced, prediction } = counted(given);
  const stride = Math.floor(spaced.count / spaced.steps), half = Math.floor(stride / 2);
  const path = recordedPath(timesteps.map((t) => stop(t, level(t - stride))), end, { stop });
  // What is combined is the output itself, read at the step's timestep and image.
  const output: Shares = { f: 1 };
  const reads = {
    kept: () => output,
    noise: ({ toNoise }: Stop, combination: Shares, image: Shares) =>
      combine([toNoise.output, combination], [toNoise.xt, image]),
  };
  const middle = (from: Stop, to: NumberedLevel) => ({
    asked: stop(to.level + half),
    reached: level(from.level - half),
  });
  if (prediction === "sample") throw new Unsupported("PNDM of samples is not known");
  // It goes to the second timestep from a stride before it, wherever the first is.
  const again = (second: Stop) => ({
    from: stop(second.level + stride),
    to: level(second.level),
  });
  const rungeKutta = config.skip_prk_steps !== true;
  return { moves: pndmMoves(path, { rungeKutta, reads, middle, again }), start: 1 };
}

/** The stops of a scheduler that goes by sigma, scaled to variance 1, and the last sigma. */
function solverPath(given: SchedulerCase, last: (sigmas: readonly number[]) => number) {
  const { config_full: config } = given, spaced = spacedOf(given);
  if (config.use_flow_sigmas) throw new Unsupported("use_flow_sigmas is not known");
  const table = sigmasOf(config), clipped = keptTimesteps(config, table);
  const ends = [
    Number(config.sigma_max ?? table.at(-1)!),
    Number(config.sigma_min ?? table[0]!),
  ] as const;
  const other = respaced(config, spaced.steps, ends);
  const timesteps = other
    ? timestepsOf(table, other)
    : givenTimesteps(given) ?? solverTimesteps(spaced, clipped);
  const sigmas = other ?? sigmasAt(table, timesteps);
  const prediction = String(config.prediction_type);
  const stops = sigmas.map((sigma, i) => stopOf(varianceLevel(sigma), timesteps[i]!, prediction));
  const end = last([table[0]!, ...sigmas]);
  const clip = Boolean(config.thresholding);
  const path = recordedPath(stops, numbered(varianceLevel(end), CLEAN), { clip });
  return { config, path, sigmas: [...sigmas, end], isSpaced: other !== null };
}

/** Timesteps that a config's least log(signal / noise) leaves. */
function keptTimesteps(config: SchedulerConfig, table: readonly number[]): number {
  if (config.lambda_min_clipped === undefined) return table.length;
  const least = numberOf(config, "lambda_min_clipped");
  return table.filter((sigma) => -Math.log(sigma) >= least).length;
}

/** The last sigma by a config. */
const lastSigma = (config: SchedulerConfig) => (sigmas: readonly number[]) => {
  if (config.final_sigmas_type === "zero") return 0;
  if (config.final_sigmas_type === "sigma_min") return sigmas[0]!;
  throw new Unsupported(`final_sigmas_type ${config.final_sigmas_type} is not known`);
};

/** Whether solvers on whole timesteps cut what lies between two, as they do where they round nothing. */
const fractional = (config: SchedulerConfig) =>
  Boolean(config.use_exponential_sigmas || config.use_beta_sigmas);

/** Timesteps as solvers on whole ones are told them. */
function whole(moves: readonly Move[], round: (t: number) => number): number[] {
  return moves.filter(isEvaluation).map(({ timestep }) => round(timestep));
}

function dpm(given: SchedulerCase): SchedulerPlan {
  only(given.step_kwargs, []);
  const { config_full: config } = given;
  const { path, sigmas } = solverPath(given, lastSigma(config));
  const algorithm = String(config.algorithm_type);
  if (!/^(sde-)?dpmsolver(\+\+)?$/.test(algorithm)) {
    throw new Unsupported(`algorithm_type ${algorithm} is not known`);
  }
  const types: Readonly<Record<string, "midpoint" | "taylor">> = {
    midpoint: "midpoint",
    heun: "taylor",
  };
  const difference = types[String(config.solver_type)];
  // Only a learned variance, which halves the output, plays a part.
  const learned = /^learned/.test(String(config.variance_type));
  const order = numberOf(config, "solver_order");
  if (!difference || (order !== 1 && order !== 2 && order !== 3) || learned) {
    throw new Unsupported("this solver_type, solver_order or variance_type is not known");
  }
  const moves = dpmMultistep(path, {
    ...{ order, difference, secondDifference: "diffusers" },
    predicted: algorithm.endsWith("++") ? "data" : "noise",
    stochastic: algorithm.startsWith("sde-"),
    lowerAtEnd: Boolean(config.lower_order_final),
    eulerAtEnd: Boolean(config.euler_at_final),
  });
  const cut = fractional(config) ||
    (config.beta_schedule === "squaredcos_cap_v2" &&
      (config.use_karras_sigmas || config.use_lu_lambdas));
  const timesteps = whole(moves, cut ? Math.floor : roundHalfToEven);
  return { moves: boundedBy(config, moves), start: 1, sigmas, timesteps };
}

function unipc(given: SchedulerCase): SchedulerPlan {
  only(given.step_kwargs, []);
  const { config_full: config } = given;
  const { path, sigmas } = solverPath(given, lastSigma(config));
  const scale = String(config.solver_type);
  if ((scale !== "bh1" && scale !== "bh2") || config.solver_p) {
    throw new Unsupported(`solver_type ${scale} or solver_p is not known`);
  }
  const moves = unipcMoves(path, {
    ...{ scale, order: numberOf(config, "solver_order") },
    predicted: config.predict_x0 === false ? "noise" : "data",
    lowerAtEnd: Boolean(config.lower_order_final),
    uncorrected: config.disable_corrector as readonly number[],
  });
  const timesteps = whole(moves, fractional(config) ? Math.floor : roundHalfToEven);
  return { moves: boundedBy(config, moves), start: 1, sigmas, timesteps };
}

function deis(given: SchedulerCase): SchedulerPlan {
  only(given.step_kwargs, []);
  const { config_full: config } = given;
  const last = (sigmas: readonly number[]) =>
    config.use_karras_sigmas || fractional(config) ? sigmas.at(-1)! : sigmas[0]!;
  const { path, sigmas } = solverPath(given, last);
  const moves = deisMoves(path, {
    order: numberOf(config, "solver_order"),
    lowerAtEnd: Boolean(config.lower_order_final),
  });
  const timesteps = whole(moves, fractional(config) ? Math.floor : roundHalfToEven);
  return { moves: boundedBy(config, moves), start: 1, sigmas, timesteps };
}

/** The path of a scheduler whose images have noise on top, unscaled. */
function sigmaPath(given: SchedulerCase) {
  const { config_full: config } = given, spaced = spacedOf(given);
  const table = sigmasOf(config);
  let timesteps = givenTimesteps(given) ?? spacedTimesteps(spaced, false);
  let sigmas = sigmasAt(table, timesteps);
  if (config.interpolation_type === "log_linear") {
    throw new Unsupported("interpolation_type log_linear is not known");
  }
  const ends = [
    Number(config.sigma_max ?? sigmas[0]!),
    Number(config.sigma_min ?? sigmas.at(-1)!),
  ] as const;
  const other = respaced(config, spaced.steps, ends);
  if (other) [sigmas, timesteps] = [other, timestepsOf(table, other)];
  const end = config.final_sigmas_type === "sigma_min" ? table[0]! : 0;
  const prediction = String(config.prediction_type);
  const stops = sigmas.map((sigma, i) => ({
    ...stopOf({ signal: 1, noise: sigma }, timesteps[i]!, prediction),
  }));
  const clip = Boolean(config.clip_sample);
  const path = recordedPath(stops, numbered({ signal: 1, noise: end }, CLEAN), { clip });
  const most = sigmas[0]!;
  return {
    ...{ config, path, sigmas: [...sigmas, end] },
    start: spaced.spacing === "leading" ? Math.hypot(most, 1) : most,
  };
}

/** A plan on such a path: the network is given images scaled to variance 1. */
function sigmaPlan(given: SchedulerCase, solve: (path: Path) => readonly Move[]): SchedulerPlan {
  const { config, path, sigmas, start } = sigmaPath(given);
  const moves = boundedBy(config, solve(path)), asked = moves.filter(isEvaluation);
  const sigmaAt = new Map(path.stops.map(({ level, noise }) => [level, noise]));
  return {
    ...{ moves, start },
    ...moves.length === path.stops.length && { sigmas },
    inputScale: (evaluation) => Math.hypot(1, sigmaAt.get(asked[evaluation]!.timestep)!),
  };
}

function euler(given: SchedulerCase): SchedulerPlan {
  only(given.step_kwargs, []);
  if (given.config_full.timestep_type === "continuous") {
    throw new Unsupported("timestep_type continuous is not known");
  }
  return sigmaPlan(given, (path) => eulerMoves(path, {}));
}

function eulerAncestral(given: SchedulerCase): SchedulerPlan {
  only(given.step_kwargs, []);
  return sigmaPlan(given, eulerAncestralMoves);
}

function heun(given: SchedulerCase): SchedulerPlan {
  only(given.step_kwargs, []);
  return sigmaPlan(given, (path) => heunMoves(path, { coordinates: "sigma" }));
}

function lms(given: SchedulerCase): SchedulerPlan {
  only(given.step_kwargs, ["order"]);
  return sigmaPlan(
    given,
    (path) => lmsMoves(path, { order: Number(given.step_kwargs.order ?? 4) }),
  );
}

/** A flow's time, later where more noise is wanted. */
function shifted(config: SchedulerConfig, mu: unknown): (times: number[]) => number[] {
  if (config.use_dynamic_shifting) {
    const by = Number(mu);
    if (!Number.isFinite(by)) throw new Unsupported("use_dynamic_shifting without mu is not known");
    const share = config.time_shift_type === "linear" ? by : Math.exp(by);
    return (times) => times.map((t) => share / (share + (1 / t - 1)));
  }
  const shift = numberOf(config, "shift");
  return (times) => times.map((t) => shift * t / (1 + (shift - 1) * t));
}

/** Times stretched so that the last is a given one. */
function endingAt(terminal: unknown, times: number[]): number[] {
  if (typeof terminal !== "number") return times;
  const stretch = (1 - times.at(-1)!) / (1 - terminal);
  return times.map((time) => 1 - (1 - time) / stretch);
}

function flowMatch(given: SchedulerCase): SchedulerPlan {
  only(given.step_kwargs, []);
  only(given.set_timesteps, ["num_inference_steps", "mu"]);
  const { config_full: config, set_timesteps: set } = given;
  if (config.invert_sigmas) throw new Unsupported("invert_sigmas is not known");
  const count = numberOf(config, "num_train_timesteps"), steps = Number(set.num_inference_steps);
  const shift = shifted(config, set.mu);
  // Without dynamic shifting the ends are shifted already, and are shifted again.
  const ends = [1, 1 / count], [most, least] = config.use_dynamic_shifting ? ends : shift(ends);
  let times = endingAt(config.shift_terminal, shift(evenly(most!, least!, steps)));
  times = respaced(config, steps, [times[0]!, times.at(-1)!]) ?? times;
  const stops = times.map((time) =>
    stopOf({ signal: 1 - time, noise: time }, time * count, "flow_prediction")
  );
  const path = recordedPath(stops, numbered({ signal: 1, noise: 0 }, CLEAN));
  const moves = config.stochastic_sampling ? consistencyMoves(path) : eulerMoves(path, {});
  return { moves, start: 1, sigmas: [...times, 0] };
}

/** Plans by the scheduler's class. */
export const PLANS: Readonly<Record<string, (given: SchedulerCase) => SchedulerPlan>> = {
  DDPMScheduler: ddpm,
  DDIMScheduler: ddim,
  PNDMScheduler: pndm,
  DPMSolverMultistepScheduler: dpm,
  UniPCMultistepScheduler: unipc,
  DEISMultistepScheduler: deis,
  EulerDiscreteScheduler: euler,
  EulerAncestralDiscreteScheduler: eulerAncestral,
  HeunDiscreteScheduler: heun,
  LMSDiscreteScheduler: lms,
  FlowMatchEulerDiscreteScheduler: flowMatch,
};
