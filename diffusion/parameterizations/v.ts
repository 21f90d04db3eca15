/**
 * v = signal e - noise x_0 (Salimans and Ho 2022, arXiv 2202.00512, appendix D):
 *
 *     x_0 = (signal x_t - noise v) / (signal^2 + noise^2)
 *     e   = (noise x_t + signal v) / (signal^2 + noise^2)
 *
 * @module
 */
import type { ParameterizationRecord } from "../parameterization.ts";
import { totalPower } from "../schedule.ts";

/** See the module. */
export const V: ParameterizationRecord = {
  description: "v, between the noise and the clean image",
  on: ({ at }) => ({
    target(level) {
      const { signal, noise } = at(level);
      return { x0: -noise, noise: signal, xt: 0 };
    },
    toX0(level) {
      const here = at(level), total = totalPower(here);
      return { xt: here.signal / total, output: -here.noise / total };
    },
    toNoise(level) {
      const here = at(level), total = totalPower(here);
      return { xt: here.noise / total, output: here.signal / total };
    },
  }),
};
