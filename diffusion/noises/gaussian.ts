/**
 * Standard normal noise.
 *
 * @module
 */
import { randomNormal } from "../../kernels/process/random.ts";
import type { NoiseRecord } from "./record.ts";

/** See the module. */
export const GAUSSIAN = {
  description: "standard normal",
  options: {},
  draw: () => randomNormal,
} as const satisfies NoiseRecord<unknown>;
