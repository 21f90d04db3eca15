/**
 * Rules between keys of several rooms. A rule between keys of one room is in that room's options.
 *
 * @module
 */
import { augmentNumbers, augmentSettings } from "../data/augmentation/options.ts";
import { bucketSizes } from "../data/buckets.ts";
import { imageShape } from "../data/options.ts";
import { isEvaluation } from "../diffusion/moves.ts";
import { auxiliaryMisfit, usesAuxiliary } from "../diffusion/auxiliary/registry.ts";
import { targetOutputs } from "../diffusion/parameterizations/registry.ts";
import { isLearned } from "../diffusion/posterior.ts";
import { makeProcess } from "../diffusion/process.ts";
import { samplerMoves } from "../diffusion/samplers/registry.ts";
import { diffusedSize, latentsFit } from "../model/latent_options.ts";
import { networkMisfit } from "../model/networks/registry.ts";
import { stageTimesteps } from "../model/networks/unrolled/chain.ts";
import { type Check, firstBroken } from "../support/options.ts";
import { brokenRule, type Config, roomWarnings } from "./description.ts";
import type { Violation } from "./schema.ts";

/** Where a config says what a network has to fit. */
const SHAPE_KEYS = {
  size: "data.size",
  channels: "data.channels",
  outputs: "diffusion.target",
  timesteps: "diffusion.timesteps",
} as const;

const networkFitsImages: Check<Config> = ({ data, model, diffusion: { timesteps, target } }) => {
  const { size, ...image } = imageShape(data);
  const diffused = diffusedSize(image, model.latent);
  const outputs = targetOutputs(target, diffused.channels);
  const shape = { ...diffused, outputs, timesteps };
  const misfit = networkMisfit(model, shape, (key) => `model.${key}`);
  if (misfit === null) return null;
  if (misfit.key === "outputs") {
    const rule = `be a target of one output for model ${model.name}`;
    return { ...misfit, key: SHAPE_KEYS.outputs, rule, got: target };
  }
  const got = { size, channels: diffused.channels, timesteps }[misfit.key];
  return { ...misfit, key: SHAPE_KEYS[misfit.key], got };
};

const batchFitsData: Check<Config> = ({ data, train: { batchSize } }) => {
  const { name, limit, synthetic } = data;
  const counts = [limit, name === "synthetic" ? synthetic.count : null];
  const images = Math.min(...counts.map((count) => count ?? Infinity));
  return batchSize <= images
    ? null
    : { key: "train.batchSize", rule: `be at most ${images}, the number of training images` };
};

const evaluationFitsHoldout: Check<Config> = ({ data, train: { evalEvery, evalCount } }) =>
  evalEvery === 0 || evalCount <= data.holdout
    ? null
    : { key: "train.evalCount", rule: `be at most data.holdout, ${data.holdout}` };

const latentsFitImages: Check<Config> = ({ data, model, diffusion: { clipX0 } }, at) =>
  latentsFit({ model, size: imageShape(data), clipX0 }, at);

const latentsAreNotAugmented: Check<Config> = ({ data, model }) => {
  if (model.latent.autoencoder === null || augmentSettings(data) === null) return null;
  return data.augment.probability > 0
    ? { key: "data.augment.probability", rule: "be 0 with model.latent.autoencoder" }
    : { key: "data.flipVertical", rule: "be false with model.latent.autoencoder" };
};

const latentsAreCroppedOnce: Check<Config> = ({ data, model }) =>
  data.crop === "random" && model.latent.autoencoder !== null
    ? { key: "data.crop", rule: "be true or false with model.latent.autoencoder" }
    : null;

const latentsAreInMemory: Check<Config> = ({ data, model }) =>
  data.stream && model.latent.autoencoder !== null
    ? { key: "data.stream", rule: "be false with model.latent.autoencoder" }
    : null;

/** A network that knows of augmentation must be told all of it, or it paints what it can't tell. */
const augmentationIsTold: Check<Config> = ({ data, model }) => {
  const settings = augmentSettings(data);
  if (settings === null || !("augmentNumbers" in model)) return null;
  const needed = augmentNumbers(settings), { augmentNumbers: taken } = model;
  return taken === 0 || taken >= needed ? null : {
    key: "model.augmentNumbers",
    rule: `be 0 or at least ${needed}, the numbers that tell how images are augmented`,
  };
};

const networkGivesVariance: Check<Config> = ({ model, diffusion: { variance } }) => {
  const { learnedVariance = false, learnSigma = false } = model as Record<string, unknown>;
  return !isLearned(variance) || learnedVariance || learnSigma ? null : {
    key: "diffusion.variance",
    rule: `be one that is not learned, as model ${model.name} gives none as it is`,
    hint:
      "guided, lucid and edm do with --model.learnedVariance=true, dit with --model.learnSigma=true",
  };
};

/** Channels of two outputs and of a variance would be the same ones. */
const outputsAreTold: Check<Config> = ({ model, diffusion: { target } }) => {
  const own = model as Record<string, unknown>;
  const key = ["learnedVariance", "learnSigma"].find((key) => own[key] === true);
  return key === undefined || targetOutputs(target, 1) === undefined
    ? null
    : { key: `model.${key}`, rule: `be false for diffusion.target ${target}` };
};

/** A chain is trained as a chain, and asked about the levels of its networks alone. */
const chainGoesByItself: Check<Config> = ({ model, diffusion, train }) => {
  const { objective, timesteps, sampler } = diffusion;
  const chain = model.name === "unrolled";
  if (chain !== (objective === "unrolled")) {
    const rule = chain ? "be unrolled for model unrolled" : "be denoising but for model unrolled";
    return { key: "diffusion.objective", rule };
  }
  if (!chain || train.sampleEvery === 0) return null;
  const stages = stageTimesteps(model.stages, timesteps);
  const moves = samplerMoves(makeProcess(diffusion), sampler);
  const missed = moves.find((move) => isEvaluation(move) && !stages.includes(move.timestep));
  return missed === undefined ? null : {
    key: "diffusion.sampler.spacing",
    rule: "lead to the timesteps of the chain's networks alone",
    hint: `--diffusion.sampler.name=ddim --diffusion.sampler.spacing=truncated ` +
      `--diffusion.sampler.steps=${model.stages} does`,
  };
};

/** Networks that have no gradient with respect to the level that they are told. */
const DEAF_NETWORKS: readonly string[] = ["linear", "full", "unrolled"];

const scheduleReachesNetwork: Check<Config> = ({ model, diffusion: { schedule } }) => {
  if (schedule !== "learned") return null;
  if (DEAF_NETWORKS.includes(model.name)) {
    return {
      key: "diffusion.schedule",
      rule:
        `be one that is not learned for model ${model.name}, which has no gradient in the level`,
      hint: "lucid, lucid-karras, ho2020, guided, dit, edm, edm2 and mlp have one",
    };
  }
  const { selfCondition = false } = model as Record<string, unknown>;
  return selfCondition
    ? { key: "model.selfCondition", rule: "be false for diffusion.schedule learned" }
    : null;
};

const lossesFitImages: Check<Config> = ({ data, model, diffusion: { auxiliary } }) => {
  const { size: _, ...image } = imageShape(data);
  const misfit = auxiliaryMisfit(auxiliary, diffusedSize(image, model.latent));
  return misfit && { ...misfit, key: `diffusion.auxiliary.${misfit.key}` };
};

/** What a run with images of several sizes must leave alone: what goes by the frequencies of one. */
const bucketsGoWithTheRest: Check<Config> = ({ data, model, diffusion }) => {
  if (data.buckets === null) return null;
  const { process, objective, spectralLoss, auxiliary } = diffusion;
  if (model.latent.autoencoder !== null) {
    return { key: "model.latent.autoencoder", rule: "be null with data.buckets" };
  }
  if (process !== "ddpm") return { key: "diffusion.process", rule: "be ddpm with data.buckets" };
  if (objective !== "denoising") {
    return { key: "diffusion.objective", rule: "be denoising with data.buckets" };
  }
  if (diffusion.schedule === "learned") {
    return { key: "diffusion.schedule", rule: "be another than learned with data.buckets" };
  }
  if (spectralLoss.lambda > 0) {
    return { key: "diffusion.spectralLoss.lambda", rule: "be 0 with data.buckets" };
  }
  if (usesAuxiliary(auxiliary)) {
    return { key: "data.buckets", rule: "be null with losses of diffusion.auxiliary" };
  }
  return null;
};

const networkFitsBuckets: Check<Config> = ({ data, model, diffusion: { timesteps } }) => {
  const { channels } = imageShape(data);
  for (const [height, width] of bucketSizes(data) ?? []) {
    const shape = { height, width, channels, timesteps };
    const misfit = networkMisfit(model, shape, (key) => `model.${key}`);
    if (misfit?.key !== "size") continue;
    const hint = data.buckets === "auto" ? `--data.bucketStep says of what` : misfit.hint;
    const rule = `have sides that must ${misfit.rule}`;
    return { key: "data.buckets", rule, got: [height, width], ...hint ? { hint } : {} };
  }
  return null;
};

const CHECKS = [
  lossesFitImages,
  augmentationIsTold,
  latentsAreNotAugmented,
  latentsAreCroppedOnce,
  latentsAreInMemory,
  networkGivesVariance,
  outputsAreTold,
  latentsFitImages,
  networkFitsImages,
  bucketsGoWithTheRest,
  networkFitsBuckets,
  batchFitsData,
  evaluationFitsHoldout,
  chainGoesByItself,
  scheduleReachesNetwork,
];

/** The first rule between keys that `config` breaks, or null. */
export function checkConfig(config: Config): Violation | null {
  const broken = brokenRule(config) ?? firstBroken(CHECKS, config, (key) => key);
  if (broken === null) return null;
  const { key, ...rest } = broken;
  return { path: key.split("."), ...rest };
}

/** What is allowed in `config`, but seldom meant: a sentence each. */
export function configWarnings(config: Config): string[] {
  const { train, optim } = config;
  const warnings = roomWarnings(config);
  if (optim.warmupSteps >= train.steps) {
    warnings.push(
      `optim.warmupSteps ${optim.warmupSteps} is not below train.steps ${train.steps}, so the ` +
        "learning rate never reaches its peak",
    );
  }
  return warnings;
}
