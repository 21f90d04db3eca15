/**
 * Linear multistep in sigma, as k-diffusion has it (an Adams-Bashforth method of uneven steps): in
 * y = x / signal, whose derivative in sigma = noise / signal is the noise,
 *
 *     y' = y + sum_j c_j e_j,    c_j = the integral over the step of the Lagrange polynomial of e_j
 *
 * through the last `order` sigmas.
 *
 * @module
 */
import { integer, option, type OptionsOf } from "../../support/options.ts";
import type { SamplerStep } from "../moves.ts";
import { nextOf, type Path } from "../path.ts";
import { integrate, lagrange } from "../quadrature.ts";
import { sigmaOf } from "../spacing.ts";
import { multistep } from "./multistep.ts";
import { onPath, type SamplerRecord, type SkippingSettings, SPACING } from "./record.ts";

/** The option of multistep solvers of any order. */
export const ORDER = {
  order: option(integer({ min: 1, max: 4 }), 3, "Order of unipc, deis (at most 3) and lms"),
};

/** See {@linkcode ORDER}. */
export type OrderSettings = OptionsOf<typeof ORDER>;

/** See the module. */
export const LMS = {
  description: "skips far, without noise, with the noise that earlier steps predicted",
  steps: 20,
  extrapolates: true,
  options: { ...SPACING, ...ORDER },
  along: lmsMoves,
  moves: onPath<SkippingSettings & OrderSettings>(lmsMoves),
} as const satisfies SamplerRecord;

/** The steps along a path. */
export function lmsMoves(path: Path, { order }: OrderSettings): SamplerStep[] {
  return multistep(path, { predicted: "noise", depth: order }, (i) => {
    const here = path.stops[i]!, there = nextOf(path, i);
    const seen = Math.min(order, i + 1);
    const nodes = Array.from({ length: seen }, (_, ago) => sigmaOf(path.stops[i - ago]!));
    return {
      image: there.signal / here.signal,
      predictions: nodes.map((_, ago) =>
        there.signal * integrate((at) => lagrange(nodes, ago, at), sigmaOf(here), sigmaOf(there))
      ),
    };
  });
}
