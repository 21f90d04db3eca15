/**
 * Where losses have been large (Nichol and Dhariwal 2021, arXiv 2102.09672, equation 18).
 *
 * @module
 */
import { adaptiveTimesteps, recordLosses } from "../../kernels/process/timesteps/adaptive.ts";
import { decimal, integer, option, type OptionsOf } from "../../support/options.ts";
import { STREAMS } from "../../support/random_streams.ts";
import type { TimestepRecord } from "./record.ts";

const OPTIONS = {
  bins: option(integer({ min: 1 }), 20, "adaptive: bins of timesteps"),
  /** Of the square. */
  decay: option(
    decimal({ min: 0, below: 1 }),
    0.95,
    "adaptive: share of a bin's average kept a loss",
  ),
  uniformShare: option(
    decimal({ above: 0, max: 1 }),
    0.1,
    "adaptive: share of the draws that stay uniform",
  ),
};

/** See the module. */
export const ADAPTIVE = {
  description: "timesteps of large losses",
  options: OPTIONS,
  create({ gpu, schedule, options }) {
    const { timesteps } = schedule;
    const { bins, decay, uniformShare } = options;
    const history = gpu.tensor([bins, 2], { label: "history of losses" });
    return {
      draw: ({ capture, random }, samples) =>
        adaptiveTimesteps(capture, random, history, {
          samples,
          timesteps,
          uniformShare,
          stream: STREAMS.timesteps,
        }),
      learn: (capture, drawn, losses) =>
        recordLosses(capture, history, drawn, losses, { timesteps, decay }),
      state: new Map([["diffusion/lossHistory", history]]),
      destroy: () => gpu.destroyTensor(history),
    };
  },
} as const satisfies TimestepRecord<OptionsOf<typeof OPTIONS>>;
