/**
 * All frequencies alike: x_t = signal x_0 + noise e (Ho et al. 2020, arXiv 2006.11239, equation 4). Nothing is
 * transformed.
 *
 * @module
 */
import type { ForwardProcessRecord } from "./record.ts";

/** See the module. */
export const DDPM = {
  description: "all frequencies alike",
  options: {},
  transform: null,
} as const satisfies ForwardProcessRecord;
