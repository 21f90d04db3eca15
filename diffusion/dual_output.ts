/**
 * The loss of target dual-output. Of a network that gives the noise e', the image z and their weights,
 * with y the image that both make together (kernels/process/dual_output.ts),
 *
 *     L = loss(y, x_0) + imageWeight loss(z, x_0) + noiseWeight loss(e', e)
 *
 * as in lucidrains' `WeightedObjectiveGaussianDiffusion`; Benny and Wolf 2022 (arXiv 2203.04304, section
 * 3.2) weigh all three alike. What the objective does to the loss of an output, such as a weighting by
 * level, it does to that of y.
 *
 * @module
 */
import type { Tensor } from "../autograd/graph.ts";
import { add } from "../autograd/ops/add.ts";
import { columns } from "../autograd/ops/columns.ts";
import { scale } from "../autograd/ops/scale.ts";
import type { TensorRef } from "../device/tensor.ts";
import {
  type Check,
  decimal,
  nullable,
  option,
  type OptionsOf,
  section,
} from "../support/options.ts";
import { isLearned, type ReverseVariance } from "./posterior.ts";

const FIELDS = {
  noiseWeight: option(decimal({ min: 0 }), 0.1, "Weight of the loss of its noise"),
  imageWeight: option(decimal({ min: 0 }), 0.1, "Weight of the loss of its image alone"),
  limit: option(
    nullable(decimal({ above: 0 })),
    2,
    "Limit of the image that its noise implies, in the loss alone; null = none",
  ),
};

/** Options of the loss; the defaults are those of lucidrains' code. */
export const DUAL_OUTPUT_LOSS = section("The loss of target dual-output", FIELDS);

/** @internal */
type Described = OptionsOf<typeof FIELDS>;

/** See {@linkcode DUAL_OUTPUT_LOSS}. */
export type DualOutputOptions = Described;

interface Around {
  readonly target: string;
  readonly variance: ReverseVariance;
  readonly spectralForcing: { readonly on: boolean };
}

/** What reads two outputs does so by pixel, of images of all frequencies, and knows of no third. */
export const dualIsPlain: Check<Around> = ({ target, variance, spectralForcing }) => {
  if (target !== "dual-output") return null;
  if (isLearned(variance)) {
    return { key: "variance", rule: "be one that is not learned for target dual-output" };
  }
  return !spectralForcing.on ? null : {
    key: "spectralForcing.on",
    rule: "be false for target dual-output, which reads the noise off the whole image",
    hint: "v, velocity and x0 go with it",
  };
};

/** What the outputs should be. */
interface Wanted {
  readonly x0: TensorRef;
  readonly noise: TensorRef;
}

/**
 * The weighted losses of the image alone and of the noise; null where neither counts.
 *
 * @param output The network's, `[N, ..., 2 C + 2]`.
 * @param lossOf The elementwise loss, averaged.
 */
export function branchLosses(
  output: Tensor,
  { x0, noise }: Wanted,
  { noiseWeight, imageWeight }: DualOutputOptions,
  lossOf: (found: Tensor, wanted: Tensor) => Tensor,
): Tensor | null {
  const { graph } = output, channels = x0.shape.at(-1) ?? 0;
  const branches = [
    { weight: imageWeight, start: channels, wanted: x0 },
    { weight: noiseWeight, start: 0, wanted: noise },
  ];
  let sum: Tensor | null = null;
  for (const { weight, start, wanted } of branches) {
    if (weight === 0) continue;
    const found = columns(output, start, channels);
    const own = scale(lossOf(found, graph.constant(wanted)), weight);
    sum = sum ? add(sum, own) : own;
  }
  return sum;
}
