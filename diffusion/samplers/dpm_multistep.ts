/**
 * DPM-Solver and DPM-Solver++ with the predictions of earlier steps (Lu, Zhou, Bao, Chen, Li and Zhu
 * 2022, arXiv 2206.00927 and 2211.01095), of the probability flow or, with fresh noise, of the reverse
 * SDE. With a the signal and s the noise of a level, l = log(a / s), from one level to the next, and
 * differences of predictions
 *
 *     h = l' - l,    D1 = (m_0 - m_1) / r_0,    r_j = h_j / h,
 *
 * a step of the flow is, m predicting x0,
 *
 *     x' = s'/s x + A m_0 + B D1 + C D2,    A = a' (1 - exp(-h)),
 *
 * and B and C as in {@linkcode weightsOf}. The first step has no prediction before it and is of first
 * order; so is the last one to the clean image, where h is infinite.
 *
 * D2, the second divided difference in units of h, is half of h^2 times the second derivative. The
 * authors' code, diffusers and k-diffusion (`sample_dpmpp_3m_sde`) weigh it as if it were the whole,
 * which leaves order 2, and diffusers' SDE has another sign besides, which leaves it order 1;
 * `secondDifference` does the same. Else the weights are those of the integrals, and the order is 3.
 *
 * @module
 */
import { choice, option } from "../../support/options.ts";
import type { SamplerStep } from "../moves.ts";
import { lambdaOf, nextOf, type NumberedLevel, type Path } from "../path.ts";
import { multistep, type MultistepShares, type Predicted } from "./multistep.ts";

/** Steps below which the last ones are of lower order, for stability. */
const FEW_STEPS = 15;

/** As the integrals have it, as the authors' code and k-diffusion do, or as diffusers does. */
const SECOND_DIFFERENCES = ["exact", "published", "diffusers"] as const;

/** See the module. */
export type SecondDifference = typeof SECOND_DIFFERENCES[number];

/** The option of samplers of third order. */
export const SECOND_DIFFERENCE = {
  secondDifference: option(
    choice(SECOND_DIFFERENCES),
    "exact",
    "Weight of the second difference: the integral's; half of it, published, as the authors' code " +
      "and k-diffusion have it; or as diffusers has it, where noise has another sign besides",
  ),
};

/** See the module. */
export interface DpmSettings {
  readonly order: 1 | 2 | 3;
  /** What is predicted: x0 is DPM-Solver++, the noise DPM-Solver. */
  readonly predicted?: Predicted;
  /** How the first difference enters: by the midpoint, or as a Taylor series has it. */
  readonly difference?: "midpoint" | "taylor";
  /** Whether fresh noise is drawn. */
  readonly stochastic?: boolean;
  /** Whether the last steps are of lower order where there are few. */
  readonly lowerAtEnd?: boolean;
  /** How the second difference is weighed; `exact` unless given. */
  readonly secondDifference?: SecondDifference;
  /** Whether the last step is of first order however many there are. */
  readonly eulerAtEnd?: boolean;
}

/** The moves along a path. */
export function dpmMultistep(path: Path, settings: DpmSettings): SamplerStep[] {
  const { order, predicted = "data" } = settings;
  return multistep(path, { predicted, depth: order }, (i) => stepShares(path, i, settings));
}

/** The order of a step. */
function orderOf({ stops, end }: Path, i: number, settings: DpmSettings): number {
  const { order, lowerAtEnd = true, eulerAtEnd = false } = settings;
  const few = lowerAtEnd && stops.length < FEW_STEPS;
  if (i === stops.length - 1 && (eulerAtEnd || few || end.noise === 0)) return 1;
  return Math.min(order, i + 1, i === stops.length - 2 && few ? 2 : 3);
}

function stepShares(path: Path, i: number, settings: DpmSettings): MultistepShares {
  const { predicted = "data", difference = "midpoint", stochastic = false } = settings;
  const { secondDifference = "exact" } = settings;
  const here = path.stops[i]!, there = nextOf(path, i);
  const weights = weightsOf(here, there, { predicted, stochastic, secondDifference });
  const order = orderOf(path, i, settings);
  const { first, taylor, second } = weights;
  if (order === 1) return { ...weights, predictions: [first] };
  const lambda = lambdaOf(here), h = lambdaOf(there) - lambda;
  const h0 = lambda - lambdaOf(path.stops[i - 1]!);
  if (order === 2) {
    if (difference === "midpoint") {
      const lean = h / h0 / 2;
      return { ...weights, predictions: [first * (1 + lean), -first * lean] };
    }
    const share = taylor() * h / h0;
    return { ...weights, predictions: [first + share, -share] };
  }
  const h1 = lambdaOf(path.stops[i - 1]!) - lambdaOf(path.stops[i - 2]!);
  const r0 = h0 / h, r1 = h1 / h, span = 1 / (r0 + r1);
  // D1 = d0 + r0 span (d0 - d1) and D2 = span (d0 - d1), with d0 and d1 the differences.
  const b = taylor(), c = second() * span;
  const ofD0 = b * (1 + r0 * span) + c, ofD1 = -b * r0 * span - c;
  return {
    ...weights,
    predictions: [first + ofD0 / r0, ofD1 / r1 - ofD0 / r0, -ofD1 / r1],
  };
}

/** What does not depend on earlier steps; of the series only what an order needs is finite. */
function weightsOf(
  here: NumberedLevel,
  there: NumberedLevel,
  { predicted, stochastic, secondDifference }: {
    readonly predicted: Predicted;
    readonly stochastic: boolean;
    readonly secondDifference: SecondDifference;
  },
) {
  const whole = secondDifference === "exact" ? 2 : 1;
  const h = lambdaOf(there) - lambdaOf(here);
  const { signal: a, noise: s } = there;
  const ratio = s / here.noise;
  if (predicted === "data" && !stochastic) {
    return {
      image: ratio,
      // a (1 - exp(-h)), without an infinite h at the end.
      first: a - here.signal * ratio,
      taylor: () => a * (Math.expm1(-h) / h + 1),
      second: () => -whole * a * ((Math.expm1(-h) + h) / h ** 2 - 0.5),
    };
  }
  if (predicted === "data") {
    // 1 - exp(-2 h) = 1 - (sigma' / sigma)^2.
    const kept = (ratio * here.signal / a) ** 2, added = 1 - kept;
    return {
      image: ratio * ratio * here.signal / a,
      first: a * added,
      taylor: () => a * (added / (-2 * h) + 1),
      second: () =>
        whole * a *
        ((added - 2 * h) / (2 * h) ** 2 + (secondDifference === "diffusers" ? -0.5 : 0.5)),
      noise: s * Math.sqrt(Math.max(0, added)),
    };
  }
  const image = a / here.signal, grow = Math.expm1(h);
  return {
    image,
    first: -s * grow * (stochastic ? 2 : 1),
    taylor: () => -s * (grow / h - 1) * (stochastic ? 2 : 1),
    second: () => -whole * s * ((grow - h) / h ** 2 - 0.5) * (stochastic ? 2 : 1),
    noise: stochastic ? s * Math.sqrt(Math.max(0, Math.expm1(2 * h))) : 0,
  };
}
