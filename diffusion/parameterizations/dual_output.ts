/**
 * The noise e and the clean image z side by side, with two weights a pixel whose softmax p tells how much
 * each counts for the image (Benny and Wolf 2022, arXiv 2203.04304; here as lucidrains'
 * `WeightedObjectiveGaussianDiffusion`):
 *
 *     x_0 = p (x_t - noise e) / signal + (1 - p) z
 *
 * What is made of the channels so is read as an output that is the clean image.
 *
 * @module
 */
import { dualChannels } from "../../kernels/process/dual_output.ts";
import type { ParameterizationRecord } from "../parameterization.ts";
import { EPSILON } from "./epsilon.ts";
import { X0 } from "./x0.ts";

/** See the module. */
export const DUAL_OUTPUT: ParameterizationRecord = {
  description: "the noise, the clean image and how much each counts",
  needsSignal: true,
  outputs: dualChannels,
  on(schedule, settings) {
    const { toX0 } = EPSILON.on(schedule, settings);
    return { ...X0.on(schedule, settings), noiseBranch: toX0 };
  },
};
