/**
 * A between two values of a sigmoid (Jabri, Fleet and Chen 2023, arXiv 2212.11972, algorithm 2), with
 * s(x) = sigmoid(x / tau):
 *
 *     A(u) = (s(end) - s(start + u (end - start))) / (s(end) - s(start))
 *
 * @module
 */
import { type Check, decimal, flag, option, type OptionsOf } from "../../support/options.ts";
import { scheduleFromBetas } from "../schedule.ts";
import { betasOf, type ScheduleRecord, type ScheduleSettings } from "./record.ts";

const OPTIONS = {
  sigmoidStart: option(decimal(), -3, "sigmoid: where it starts"),
  sigmoidEnd: option(decimal(), 3, "sigmoid: where it ends"),
  sigmoidTau: option(decimal({ above: 0 }), 1, "sigmoid: temperature"),
  /** Betas differ by a few 1e-6 near the end. */
  sigmoidRounded: option(
    flag(),
    false,
    "sigmoid: round its ends to float32, for weights trained by lucidrains' code",
  ),
};

type Options = OptionsOf<typeof OPTIONS>;

const goesUp: Check<ScheduleSettings & Options> = ({ sigmoidStart, sigmoidEnd }, at) =>
  sigmoidStart < sigmoidEnd ? null : {
    key: "scheduleOptions.sigmoidEnd",
    rule: `be above ${at("scheduleOptions.sigmoidStart")}, ${sigmoidStart}`,
    got: sigmoidEnd,
  };

/** See the module. */
export const SIGMOID = {
  description: "less noise at both ends; betaStart and betaEnd play no part",
  options: OPTIONS,
  checks: [goesUp],
  make({ timesteps, sigmoidStart: start, sigmoidEnd: end, sigmoidTau: tau, sigmoidRounded }) {
    const s = (x: number) => 1 / (1 + Math.exp(-x / tau));
    const f32 = Math.fround;
    const [first, last] = sigmoidRounded
      ? [start, end].map((x) => f32(1 / f32(1 + f32(Math.exp(-f32(x / tau)))))) as [number, number]
      : [s(start), s(end)];
    return scheduleFromBetas(
      betasOf(timesteps, (u) => (last - s(u * (end - start) + start)) / (last - first)),
    );
  },
} as const satisfies ScheduleRecord<Options>;
