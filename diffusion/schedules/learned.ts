/**
 * Continuous time with a logarithm l of the signal-to-noise ratio that is learned with the network (Kingma
 * et al. 2021, arXiv 2107.00630, section 3.2; lucidrains' code): it falls with time as a network of weights
 * without signs has it, between the ends of `log-snr-linear`, which stay.
 *
 *     net(t) = u + sum_j |c_j| s(|a_j| u + |b_j|),   u = |w| t + |v|,   s the logistic function
 *     l      = l_0 + (l_1 - l_0) (net(t) - net(0)) / (net(1) - net(0))
 *
 * @module
 */
import { decimal, integer, option, type OptionsOf } from "../../support/options.ts";
import { linearLogSnr, logSnrSchedule } from "./log_snr.ts";
import type { ScheduleRecord } from "./record.ts";

/** l at time 0 and time 1. */
export const LOG_SNR_ENDS = { start: linearLogSnr(0), end: linearLogSnr(1) } as const;

/** What was learned: the network's parameters, whose signs do not matter. */
export interface LearnedLogSnr {
  /** w and v. */
  readonly input: readonly [weight: number, bias: number];
  /** a, b and c of each hidden unit. */
  readonly hidden: {
    readonly weight: readonly number[];
    readonly bias: readonly number[];
    readonly output: readonly number[];
  };
}

const OPTIONS = {
  hidden: option(integer({ min: 1, max: 65536 }), 1024, "learned: hidden units of its network"),
  gradientShare: option(
    decimal({ min: 0, max: 1 }),
    1,
    "learned: share of the loss's gradient that its network learns by; 0 keeps it as it begins",
  ),
};

type Options = OptionsOf<typeof OPTIONS> & { readonly learnedLogSnr?: LearnedLogSnr };

/** l of a time from 0 to 1, in f64. */
export function learnedLogSnr({ input, hidden }: LearnedLogSnr): (time: number) => number {
  const [w, v] = [Math.abs(input[0]), Math.abs(input[1])];
  const units = hidden.weight.map((weight, j) => {
    const a = Math.abs(weight), from = a * v + Math.abs(hidden.bias[j]!);
    return { by: a * w, from, c: Math.abs(hidden.output[j]!) / (1 + Math.exp(from)) };
  });
  // s(y) - s(x) = s(y) s(-x) (1 - exp(x - y)), which loses nothing where both are near.
  const growth = (time: number) =>
    units.reduce(
      (sum, { by, from, c }) =>
        sum - c * Math.expm1(-by * time) / (1 + Math.exp(-from - by * time)),
      w * time,
    );
  const whole = growth(1), { start, end } = LOG_SNR_ENDS, known = new Map<number, number>();
  return (time) => {
    let found = known.get(time);
    if (found === undefined) {
      found = start + (end - start) * growth(time) / whole;
      known.set(time, found);
    }
    return found;
  };
}

/** See the module. Until it is learned it stands for a straight line, by which nothing is drawn. */
export const LEARNED = {
  description: "log SNR that is learned with the network; betas play no part",
  options: OPTIONS,
  continuous: true,
  make({ timesteps, learnedLogSnr: learned }) {
    if (learned) return logSnrSchedule(timesteps, learnedLogSnr(learned));
    const { start, end } = LOG_SNR_ENDS;
    return logSnrSchedule(timesteps, (time) => start + (end - start) * time, { provisional: true });
  },
} as const satisfies ScheduleRecord<Options>;
