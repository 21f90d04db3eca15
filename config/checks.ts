/**
 * Rules between the fields of a config: what each field allows alone, but not all together.
 *
 * @module
 */
import { imageShape, isOpen, nativeShape } from "../data/options.ts";
import { PRINTED_REASON } from "../diffusion/spectral_forms.ts";
import { usesTMax } from "../diffusion/t_max.ts";
import type { Config, Violation } from "./schema.ts";

type Check = (config: Config) => Violation | null;

function violation(path: string, rule: string, more: { hint?: string; got?: unknown } = {}) {
  return { path: path.split("."), rule, ...more };
}

const groupsDivideWidth: Check = ({ model: { channels, groups } }) => {
  if (channels % groups === 0) return null;
  const divisors = Array.from({ length: channels }, (_, i) => i + 1).filter((n) =>
    channels % n === 0
  );
  const unit = groups % 2 === 0 ? groups : 2 * groups; // widths are even as well
  return violation("model.groups", `divide model.channels, ${channels}`, {
    hint: `the nearest that work are model.groups ${
      either(divisors.findLast((n) => n < groups), divisors.find((n) => n > groups))
    }, or model.channels ${multiplesAround(channels, unit)}`,
  });
};

function multiplesAround(value: number, unit: number): string {
  const below = Math.floor(value / unit) * unit;
  return either(below > 0 ? below : undefined, below + unit);
}

function either(...values: (number | undefined)[]): string {
  return values.filter((value) => value !== undefined).join(" or ");
}

/** The time embedding is pairs of a sine and a cosine. */
const widthIsEven: Check = ({ model: { channels } }) =>
  channels % 2 === 0 ? null : violation(
    "model.channels",
    "be even, for pairs of a sine and a cosine in the time embedding",
  );

const attentionLevelsExist: Check = ({ model: { attentionLevels, channelMultipliers } }) => {
  const last = channelMultipliers.length - 1;
  if (attentionLevels.some((level) => level > last)) {
    return violation(
      "model.attentionLevels",
      `name levels from 0 to ${last}, as model.channelMultipliers has ${last + 1}`,
    );
  }
  return new Set(attentionLevels).size === attentionLevels.length
    ? null
    : violation("model.attentionLevels", "name each level once");
};

/** What they hold may have any size, and says it too late for the network. */
const openSetsHaveSize: Check = ({ data: { name, size } }) =>
  isOpen(name) && size === null
    ? violation("data.size", `be given for ${name}, whose files may hold images of any size`)
    : null;

const sizeHalvesEvenly: Check = ({ data, model: { channelMultipliers } }) => {
  const { size } = imageShape(data);
  const halvings = channelMultipliers.length - 1;
  const factor = 2 ** halvings;
  if (size % factor === 0) return null;
  return violation("data.size", `be a multiple of ${factor}`, {
    got: size,
    hint: `the network halves the side ${halvings} times; the nearest that work are ` +
      `${multiplesAround(size, factor)}, or fewer model.channelMultipliers`,
  });
};

const resizeGoesItsWay: Check = ({ data }) => {
  const { name, size, resize } = data;
  if (name === "synthetic" || size === null) return null;
  const native = nativeShape(data).size;
  if (resize === "area" && size > native) {
    return violation("data.size", `be at most ${native}, the side of ${name}, with resize area`);
  }
  return resize === "pad" && size < native
    ? violation("data.size", `be at least ${native}, the side of ${name}, with resize pad`)
    : null;
};

const batchFitsData: Check = ({ data: { name, limit, synthetic }, train: { batchSize } }) => {
  const counts = [limit, name === "synthetic" ? synthetic.count : null];
  const images = Math.min(...counts.map((count) => count ?? Infinity));
  return batchSize <= images
    ? null
    : violation("train.batchSize", `be at most ${images}, the number of training images`);
};

const accumulateDividesBatch: Check = ({ train: { accumulate, batchSize } }) =>
  batchSize % accumulate === 0
    ? null
    : violation("train.accumulate", `divide train.batchSize, ${batchSize}`);

const evaluationFitsHoldout: Check = ({ data: { holdout }, train: { evalEvery, evalCount } }) =>
  evalEvery === 0 || evalCount <= holdout
    ? null
    : violation("train.evalCount", `be at most data.holdout, ${holdout}`);

const bestIsComputed: Check = ({ metrics: { every, names, best } }) =>
  every === 0 || names.includes(best)
    ? null
    : violation("metrics.best", `be among metrics.names, ${names.join(", ")}`);

const betasAscend: Check = ({ diffusion: { schedule, betaStart, betaEnd } }) =>
  schedule === "cosine" || betaStart <= betaEnd
    ? null
    : violation("diffusion.betaEnd", `be at least diffusion.betaStart, ${betaStart}`);

const samplerStepsExist: Check = ({ diffusion: { timesteps, sampler } }) => {
  const { name, steps } = sampler;
  if (steps === null || steps === timesteps) return null;
  if (name === "ddpm") {
    return violation("diffusion.sampler.steps", `be null or ${timesteps} for ddpm`, {
      hint: "ddpm takes every timestep; ddim with eta 1 is the sampler that skips",
    });
  }
  return steps < timesteps
    ? null
    : violation("diffusion.sampler.steps", `be at most diffusion.timesteps, ${timesteps}`);
};

const tMaxIsInside: Check = ({ diffusion }) => {
  const { tMax, timesteps } = diffusion;
  return !usesTMax(diffusion) || tMax === "auto" || tMax < timesteps
    ? null
    : violation("diffusion.tMax", `be below diffusion.timesteps, ${timesteps}`);
};

const binsFitTimesteps: Check = ({ diffusion: { timestepSampler, timesteps } }) =>
  timestepSampler.name !== "adaptive" || timestepSampler.bins <= timesteps
    ? null
    : violation("diffusion.timestepSampler.bins", `be at most diffusion.timesteps, ${timesteps}`);

const printedIsMeant: Check = ({ diffusion: { spectralLoss: { lambda, mode, allowPrinted } } }) =>
  lambda === 0 || mode !== "printed" || allowPrinted
    ? null
    : violation("diffusion.spectralLoss.mode", "be one that trains", {
      hint: `${PRINTED_REASON}; diffusion.spectralLoss.allowPrinted=true lets it pass`,
    });

const bandsWeighSomething: Check = ({ diffusion: { spectralLoss: { lambda, bands } } }) =>
  lambda === 0 || bands === null || bands.some((weight) => weight > 0)
    ? null
    : violation("diffusion.spectralLoss.bands", "have a weight above 0");

const CHECKS: readonly Check[] = [
  widthIsEven,
  groupsDivideWidth,
  attentionLevelsExist,
  resizeGoesItsWay,
  openSetsHaveSize,
  sizeHalvesEvenly,
  batchFitsData,
  accumulateDividesBatch,
  evaluationFitsHoldout,
  bestIsComputed,
  betasAscend,
  samplerStepsExist,
  tMaxIsInside,
  binsFitTimesteps,
  printedIsMeant,
  bandsWeighSomething,
];

/** The first rule between fields that `config` breaks, or null. */
export function checkConfig(config: Config): Violation | null {
  for (const check of CHECKS) {
    const found = check(config);
    if (found !== null) return found;
  }
  return null;
}

/** What is allowed in `config`, but seldom meant: a sentence each. */
export function configWarnings({ model, train, optim }: Config): string[] {
  const warnings: string[] = [];
  const level = model.channelMultipliers.findIndex((m) => m * model.channels === model.groups);
  if (level >= 0) {
    warnings.push(
      `model.groups ${model.groups} leaves one channel a group at level ${level}, whose ` +
        "normalisation cancels the time embedding there; fewer groups or more channels keep it",
    );
  }
  if (optim.warmupSteps >= train.steps) {
    warnings.push(
      `optim.warmupSteps ${optim.warmupSteps} is not below train.steps ${train.steps}, so the ` +
        "learning rate never reaches its peak",
    );
  }
  return warnings;
}
