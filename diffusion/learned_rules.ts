/**
 * What a learned noise schedule goes with. Its levels are known on the GPU alone while it is trained, so that
 * whatever goes by tables of levels is refused.
 *
 * @module
 */
import { type AuxiliaryOptions, usesAuxiliary } from "./auxiliary/registry.ts";
import { isLearned, type ReverseVariance } from "./posterior.ts";
import type { Check } from "../support/options.ts";

/** What is asked about. */
interface Chosen {
  readonly schedule: string;
  readonly objective: string;
  readonly process: string;
  readonly target: string;
  readonly weighting: string;
  readonly lossOn: string;
  readonly loss: string;
  readonly variance: ReverseVariance;
  readonly timestepSampler: { readonly name: string };
  readonly spectralForcing: { readonly on: boolean };
  readonly spectralLoss: { readonly lambda: number };
  readonly auxiliary: AuxiliaryOptions;
}

/** The name of the schedule. */
export const LEARNED_SCHEDULE = "learned";

/** Targets whose shares of the image and the noise have a gradient with respect to the level. */
export const LEARNED_TARGETS = ["epsilon", "x0", "v"] as const;

/** Weightings that have one. */
const WEIGHTINGS = ["uniform", "min-snr"];

/** What the other options may be, as {@linkcode Check} has it. */
export const learnedSchedule: Check<Chosen> = (options) => {
  if (options.schedule !== LEARNED_SCHEDULE) return null;
  const { target, weighting, loss, variance } = options;
  const rules: [key: string, holds: boolean, rule: string][] = [
    ["objective", options.objective === "denoising", "be denoising"],
    ["process", options.process === "ddpm", "be ddpm"],
    ["target", LEARNED_TARGETS.some((name) => name === target), "be epsilon, x0 or v"],
    ["weighting", WEIGHTINGS.includes(weighting), "be uniform or min-snr"],
    ["lossOn", options.lossOn === "output", "be output"],
    ["loss", loss !== "norm-huber", "be another than norm-huber"],
    ["variance", !isLearned(variance), "be one that is not learned"],
    ["timestepSampler.name", options.timestepSampler.name === "uniform", "be uniform"],
    ["spectralForcing.on", !options.spectralForcing.on, "be false"],
    ["spectralLoss.lambda", options.spectralLoss.lambda === 0, "be 0"],
  ];
  const broken = rules.find(([, holds]) => !holds);
  const hint = "log-snr-linear has the same ends and goes with everything";
  if (broken) return { key: broken[0], rule: `${broken[2]} for schedule learned`, hint };
  return usesAuxiliary(options.auxiliary)
    ? { key: "schedule", rule: "be another than learned with losses of diffusion.auxiliary", hint }
    : null;
};
