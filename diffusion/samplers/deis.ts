/**
 * DEIS, tAB in log rho (Zhang and Chen 2023, arXiv 2204.13902, equation 15): as the linear multistep
 * method in rho = noise / signal, but with polynomials in log rho,
 *
 *     y' = y + sum_j c_j e_j,    y = x / signal,
 *     c_j = integral over the step of prod_k (log r - log rho_k) / (log rho_j - log rho_k) dr
 *
 * The step to the clean image, where log rho has no value, is of first order. With fewer than 15 steps
 * the last two are of lower order.
 *
 * @module
 */
import type { Check } from "../../support/options.ts";
import type { SamplerStep } from "../moves.ts";
import { nextOf, type Path } from "../path.ts";
import { integrate, lagrange } from "../quadrature.ts";
import { sigmaOf } from "../spacing.ts";
import { ORDER, type OrderSettings } from "./lms.ts";
import { multistep } from "./multistep.ts";
import { onPath, type SamplerRecord, type SkippingSettings, SPACING } from "./record.ts";

/** Steps below which the last ones are of lower order. */
const FEW_STEPS = 15;

const orderExists: Check<OrderSettings> = ({ order }) =>
  order <= 3 ? null : { key: "order", rule: "be at most 3 for deis" };

/** See the module. */
export const DEIS = {
  description: "skips far, without noise, with polynomials in log sigma",
  steps: 20,
  extrapolates: true,
  options: { ...SPACING, ...ORDER },
  checks: [orderExists],
  along: deisMoves,
  moves: onPath<SkippingSettings & OrderSettings>(deisMoves),
} as const satisfies SamplerRecord & { checks: readonly Check<never>[] };

/**
 * The steps along a path.
 *
 * @param settings `lowerAtEnd`: whether the last steps are of lower order where there are few.
 * @throws {RangeError} If the order is above 3.
 */
export function deisMoves(
  path: Path,
  { order, lowerAtEnd = true }: OrderSettings & { readonly lowerAtEnd?: boolean },
): SamplerStep[] {
  if (order > 3) {
    throw new RangeError(`Cannot sample with deis: the order must be at most 3, got ${order}`);
  }
  const count = path.stops.length, few = lowerAtEnd && count < FEW_STEPS;
  return multistep(path, { predicted: "noise", depth: order }, (i) => {
    const here = path.stops[i]!, there = nextOf(path, i);
    const most = few ? count - i : there.noise === 0 ? 1 : order;
    const seen = Math.min(order, i + 1, most);
    const nodes = Array.from({ length: seen }, (_, ago) => Math.log(sigmaOf(path.stops[i - ago]!)));
    const span = [sigmaOf(here), sigmaOf(there)] as const;
    return {
      image: there.signal / here.signal,
      predictions: nodes.map((_, ago) => there.signal * logIntegral(nodes, ago, span)),
    };
  });
}

/** The integral over r of a Lagrange polynomial in log r; over log r, in which it is smooth. */
function logIntegral(
  nodes: readonly number[],
  own: number,
  [from, to]: readonly [number, number],
): number {
  // To the clean image there is no log.
  if (nodes.length === 1) return to - from;
  const weighted = (log: number) => Math.exp(log) * lagrange(nodes, own, log);
  return integrate(weighted, Math.log(from), Math.log(to));
}
