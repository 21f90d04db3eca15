/**
 * Losses in one quantity, whatever the network outputs: with the square as the elementwise loss they
 * are what a network of that target trains.
 *
 * @module
 */
import type { WeightingRecord } from "../weighting.ts";

/** The loss in the noise. */
export const EPSILON_LOSS: WeightingRecord = {
  description: "as the loss of target epsilon",
  weight: (_, { toNoise }) => toNoise.output ** 2,
};

/** The loss in the clean image. */
export const X0_LOSS: WeightingRecord = {
  description: "as the loss of target x0",
  weight: (_, { toX0 }) => toX0.output ** 2,
};

/** The loss in v = signal e - noise x_0; an error d in x_0 is one of -signal / noise d in e. */
export const V_LOSS: WeightingRecord = {
  description: "as the loss of target v",
  weight: ({ signal, noise }, { toX0, toNoise }) =>
    (signal * toNoise.output - noise * toX0.output) ** 2,
};
