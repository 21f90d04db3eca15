/**
 * What the loss compares: the network's output with its target, or a quantity q = a x_0 + b e that the
 * output implies with what it is, so that a network may output one thing and be trained for another: the
 * clean image with a loss in the velocity, for one (Li and He 2025, arXiv 2511.13720).
 *
 * Where the output's share of q is large, x_0 from the noise near pure noise for one, the loss is
 * limited: q is scaled so that the share is at most the limit.
 *
 * @module
 */
import type { OutputShares, TargetShares } from "./parameterization.ts";
import type { Level } from "./schedule.ts";

/** Shares of image and noise in each quantity. A new one is a line here. */
const QUANTITIES = {
  x0: () => ({ x0: 1, noise: 0 }),
  epsilon: () => ({ x0: 0, noise: 1 }),
  v: ({ signal, noise }: Level) => ({ x0: -noise, noise: signal }),
  velocity: () => ({ x0: -1, noise: 1 }),
  mahalanobis: ({ whitening = 1 }: Level) => ({ x0: whitening, noise: 0 }),
} as const satisfies Readonly<Record<string, (level: Level) => { x0: number; noise: number }>>;

/** @internal */
type Quantity = keyof typeof QUANTITIES;

/** What a loss may compare: the output itself, or a quantity. */
export type LossQuantity = Quantity | "output";

/** What losses may compare. */
export const LOSS_QUANTITIES: readonly ["output", ...Quantity[]] = [
  "output",
  ...Object.keys(QUANTITIES) as Quantity[],
];

/** What is compared at a level. */
export interface Compared<Share = number> {
  /** The quantity from x_t and the output. */
  readonly prediction: OutputShares<Share>;
  /** What it should be. */
  readonly target: TargetShares<Share>;
}

/** How the output is read. */
interface Reading {
  readonly toX0: OutputShares;
  readonly toNoise: OutputShares;
}

/** How a quantity is limited. */
export interface LossLimit {
  /** Largest share of the output in the quantity; null = any. */
  readonly limit: number | null;
  /** Whether what it should be is scaled with it. */
  readonly limitTarget: boolean;
}

/** What is compared at a level. */
export function compared(
  quantity: Quantity,
  level: Level,
  { toX0, toNoise }: Reading,
  { limit, limitTarget }: LossLimit,
): Compared {
  const { x0, noise } = QUANTITIES[quantity](level);
  const output = x0 * toX0.output + noise * toNoise.output;
  const scale = limit === null ? 1 : Math.min(1, limit / Math.abs(output));
  const targetScale = limitTarget ? scale : 1;
  return {
    prediction: {
      xt: scale * (x0 * toX0.xt + noise * toNoise.xt),
      output: scale * output,
    },
    target: { x0: targetScale * x0, noise: targetScale * noise, xt: 0 },
  };
}
