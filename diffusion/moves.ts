/**
 * What a sampler is made of: moves. An evaluation asks the network f about the image x at a level and
 * combines what there is, with fresh Gaussian noise z:
 *
 *     x0 = xToX0 x + fToX0 f,  clipped to [-1, 1] when `clip`
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
import type { NoiseLevel } from "./schedule.ts";

/** Shares of what an evaluation knows. */
export interface Shares {
  /** Of the predicted, perhaps clipped, x0. */
  readonly x0?: number;
  /** Of the image. */
  readonly x?: number;
  /** Of the network's output. */
  readonly f?: number;
  /** Of the x0 that the evaluation before predicted. */
  readonly before?: number;
  /** Of the kept images. */
  readonly kept?: readonly number[];
}

/** An evaluation of the network and what comes of it: for most samplers, a step. */
export interface SamplerStep {
  /** The level that the network is asked about: its timestep where levels are counted. */
  readonly timestep: number;
  /** The level of the result, below `timestep`; -1 is the clean image where levels are counted. */
  readonly previous: number;
  /** Share of x in the predicted x0. */
  readonly xToX0: number;
  /** Share of the network's output in the predicted x0. */
  readonly fToX0: number;
  /** Whether the predicted x0 is clipped to [-1, 1]. */
  readonly clip: boolean;
  /** Share of the predicted, perhaps clipped, x0 in the result. */
  readonly fromX0: number;
  /** Share of x in the result. */
  readonly fromX: number;
  /** Share of the network's output in the result. */
  readonly fromF: number;
  /** Standard deviation of the noise in the result; 0 draws none. */
  readonly noise: number;
  /** Share of the x0 that the evaluation before predicted; 0 unless given. A first one has none. */
  readonly fromBefore?: number;
  /** Shares of the kept images in the result; 0 unless given. */
  readonly fromKept?: readonly number[];
  /** What kept images become, by register; null leaves one as it is, as does a list that ends. */
  readonly keep?: readonly (Shares | null)[];
}

/** The image becomes `signal` of itself and `noise` of fresh noise. */
export interface NoiseMove {
  /** The level that a clean image would have come to. */
  readonly renoise: NoiseLevel;
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

/** Registers that moves keep images in. */
export function keptRegisters(moves: readonly Move[]): number {
  return moves.reduce((most, move) => {
    if (!isEvaluation(move)) return most;
    const lists = [move.fromKept, move.keep, ...move.keep?.map((shares) => shares?.kept) ?? []];
    return Math.max(most, ...lists.map((list) => list?.length ?? 0));
  }, 0);
}
