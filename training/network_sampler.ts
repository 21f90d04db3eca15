/**
 * A network as something to sample from.
 *
 * @module
 */
import type { Arena } from "../device/arena.ts";
import type { Gpu } from "../device/gpu.ts";
import type { Tensor } from "../autograd/graph.ts";
import { type ClassScorer, toldClasses } from "../diffusion/classifier_guidance.ts";
import { predictorOf } from "../diffusion/denoiser.ts";
import type { Guidance } from "../diffusion/guidance.ts";
import { isLearned } from "../diffusion/posterior.ts";
import type { Process } from "../diffusion/process.ts";
import { SAMPLE_BATCH, Sampler, type SamplerParts } from "../diffusion/sampling.ts";
import type { Module } from "../model/module.ts";
import type { Network } from "../model/network.ts";
import { parameterSlots } from "../model/parameters.ts";
import type { LatentSpace } from "./latent_space.ts";
import type { ImageSize } from "./pictures.ts";

/** What is sampled from. */
export interface SampledNetwork {
  readonly network: Network;
  /** The network's weights. */
  readonly weights: Arena;
  /** What it was trained for. */
  readonly process: Process;
  /** Of the images. */
  readonly size: ImageSize;
  /** Where the network knows no images but latents. */
  readonly latent?: LatentSpace | null | undefined;
  /** Images computed at once; {@linkcode SAMPLE_BATCH} unless given. */
  readonly batch?: number;
  /** How images are guided; not at all unless given. */
  readonly guidance?: Guidance | undefined;
  /** A worse network that it is guided by; itself without a class unless given. */
  readonly guide?: GuidingNetwork | undefined;
  /** A classifier that it is guided by instead. */
  readonly scorer?: ScoringNetwork | undefined;
  /** See {@linkcode SamplerParts.together}. */
  readonly together?: boolean | undefined;
}

/** A classifier that guides, of clean images. */
export interface ScoringNetwork {
  readonly network: Module & {
    readonly shape: { readonly classes: number };
    forward(x: Tensor): { readonly scores: Tensor };
  };
  readonly weights: Arena;
}

/** A network that guides another, of the same process. */
export interface GuidingNetwork {
  readonly network: Network;
  readonly weights: Arena;
}

/** What a sampler of a network is made of. */
export function samplerParts(sampled: SampledNetwork): SamplerParts {
  const { network, weights, guide, process, batch = SAMPLE_BATCH } = sampled;
  const learned = isLearned(process.variance);
  const { height, width, channels } = sampled.latent?.sizeOf(sampled.size) ?? sampled.size;
  const scorer = sampled.scorer && scorerOf(sampled.scorer), asked = predictorOf(network, learned);
  return {
    shape: [batch, height, width, channels],
    parameters: parameterSlots(network, weights),
    ...scorer ? toldClasses(asked, scorer) : asked,
    scorer,
    process,
    guide: guide && {
      ...predictorOf(guide.network, learned),
      parameters: parameterSlots(guide.network, guide.weights),
    },
    guidance: sampled.guidance,
    together: sampled.together,
  };
}

function scorerOf({ network, weights }: ScoringNetwork): ClassScorer {
  return {
    parameters: parameterSlots(network, weights),
    classes: network.shape.classes,
    scores: (x) => network.forward(x).scores,
  };
}

/** A sampler of a network; the caller frees both it and the weights. */
export async function networkSampler(gpu: Gpu, sampled: SampledNetwork): Promise<Sampler> {
  const parts = samplerParts(sampled);
  const decoder = await sampled.latent?.decoder(parts.shape[0], sampled.size);
  return await Sampler.create(gpu, { ...parts, decoder });
}
