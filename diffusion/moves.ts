/**
 * What a sampler is made of: moves. An evaluation asks the network f about the image x at a level and
 * combines what there is, with fresh Gaussian noise z:
 *
 *     x0 = xToX0 x + fToX0 f,  clipped to [-range, range] when `clip`
 *     x' = fromX0 x0 + fromX x + fromF f + noise z + fromBefore x0 of the evaluation before
 *          + sum_i fromKept_i kept_i
 *
 * Kept images are registers of the sampler's own, as many as its moves name: what an evaluation puts
 * there is a combination of the same images, all of them as they were before. A solver with several
 * evaluations a step keeps where it began and what it saw there; one with a history keeps what it has
 * seen. The other move adds noise without asking the network.
 *
 * Coefficients are computed in f64; the GPU gets them cast once.
 *
 * @module
 */
import type { ChosenVariance } from "../kernels/process/chosen_variance.ts";
import type { KeptShares, SamplerCoefficients } from "../kernels/process/sampler_step.ts";
import type { NoiseLevel } from "./schedule.ts";

/** Shares of what an evaluation knows: x0 is the predicted, perhaps clipped one. */
export type Shares = KeptShares;

/** How the noise of a step is coloured. */
export interface NoiseColour {
  /** How much of it goes to frequencies that are not resolved yet, from 0 to 1. */
  readonly strength: number;
  /** Exponent of what is left to resolve, in its power. */
  readonly power: number;
  /** Its deviation over that of white noise. */
  readonly scale: number;
  /** Images that tell what is resolved. */
  readonly images: number;
}

/** An evaluation of the network and what comes of it: for most samplers, a step. */
export interface SamplerStep extends SamplerCoefficients {
  /** The level that the network is asked about: its timestep where levels are counted. */
  readonly timestep: number;
  /** The level of the result; -1 is the clean image where levels are counted. */
  readonly previous: number;
  /** The variance of the noise where the network's output chooses it. */
  readonly chosenVariance?: ChosenVariance;
  /** The coefficients of each band of frequencies where they differ; those of the step are then one's. */
  readonly bands?: readonly SamplerCoefficients[];
  /** Whether it is one of several evaluations of a step and not the last. */
  readonly midway?: true;
  /** How far the result is moved away from the predicted x0, by band; see correction.ts. */
  readonly correction?: { readonly low: number; readonly high: number };
  /** How its noise is coloured; white unless given. */
  readonly colour?: NoiseColour;
}

/** The image becomes `signal` of itself and `noise` of fresh noise. */
export interface NoiseMove {
  /** The level that a clean image would have come to. */
  readonly renoise: NoiseLevel;
  /** That of each band of frequencies where they differ. */
  readonly bands?: readonly NoiseLevel[];
}

/** A move of sampling. */
export type Move = SamplerStep | NoiseMove;

/** Whether a move asks the network. */
export function isEvaluation(move: Move): move is SamplerStep {
  return "timestep" in move;
}

/** The level that a move shows, or null where it asks nothing. */
export function levelOfMove(move: Move): number | null {
  return isEvaluation(move) ? move.timestep : null;
}

/** Whether a move is corrected by bands. */
export function corrects(move: Move): boolean {
  return isEvaluation(move) && move.correction !== undefined;
}

/** Whether a move's noise is coloured. */
export function colours(move: Move): boolean {
  return isEvaluation(move) && move.colour !== undefined;
}

/** Whether a move bounds what is predicted by a quantile of it. */
export function thresholds(move: Move): boolean {
  return isEvaluation(move) && move.threshold !== undefined;
}

/** Registers that moves keep images in. */
export function keptRegisters(moves: readonly Move[]): number {
  return moves.reduce((most, move) => {
    if (!isEvaluation(move)) return most;
    const lists = [move.fromKept, move.keep, ...move.keep?.map((shares) => shares?.kept) ?? []];
    return Math.max(most, ...lists.map((list) => list?.length ?? 0));
  }, 0);
}
