/**
 * The clean image.
 *
 * @module
 */
import type { ParameterizationRecord } from "../parameterization.ts";

/** See the module. */
export const X0: ParameterizationRecord = {
  description: "the clean image",
  on: () => ({
    target: () => ({ x0: 1, noise: 0, xt: 0 }),
    toX0: () => ({ xt: 0, output: 1 }),
  }),
};
