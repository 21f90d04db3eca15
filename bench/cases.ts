/**
 * All benchmarks, in the order in which they are printed; a new one is a line here.
 *
 * @module
 */
import { ATTENTION } from "./attention.ts";
import type { BenchCase } from "./bench_case.ts";
import { CEILINGS } from "./ceilings.ts";
import { CONV2D } from "./conv2d.ts";
import { DDPM_STEP } from "./ddpm_step.ts";
import { MATMUL } from "./matmul.ts";
import { NETWORK_STEPS } from "./network_steps.ts";
import { STREAMS } from "./streams.ts";
import { UNET_STEPS } from "./unet_step.ts";

/** The adapter's limits, then kernels, then whole steps. */
export const CASES: readonly BenchCase[] = [
  ...CEILINGS,
  ...MATMUL,
  ...CONV2D,
  ...STREAMS,
  ...ATTENTION,
  ...DDPM_STEP,
  ...UNET_STEPS,
  ...NETWORK_STEPS,
];
