/**
 * Elementwise losses of d = a - b and their means:
 *
 *     mse        d^2
 *     l1         |d|
 *     huber      d^2 / 2 where |d| <= delta, else delta (|d| - delta / 2)        (Huber 1964)
 *     smooth-l1  d^2 / (2 beta) where |d| < beta, else |d| - beta / 2            (Girshick 2015)
 *
 * The gradient of |d| at 0 is 0, as in PyTorch. The mean is over everything, or over everything but
 * the first axis.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import { sizeOf, type TensorRef } from "../../device/tensor.ts";
import { broadcast } from "../elementwise/broadcast.ts";
import { definePointwise, type Pointwise } from "../shared/pointwise.ts";
import { reduceRows } from "./reduce_rows.ts";

/** Choices of a mean loss. */
export interface LossOptions {
  /** The elementwise loss. */
  readonly kind: LossKind;
  /** Where huber (delta) and smooth-l1 (beta) turn from square to linear; 1 unless given. */
  readonly turn?: number;
  /** Whether the mean leaves the first axis: `[N]` instead of `[]`. */
  readonly perSample?: boolean;
}

/** WGSL over V: the loss and its slope at d. A new loss is an entry here. */
export const LOSSES = {
  "mse": { loss: "d * d", slope: "2.0 * d" },
  "l1": { loss: "abs(d)", slope: "sign(d)" },
  "huber": {
    loss:
      "select(params.turn * (abs(d) - 0.5 * params.turn), 0.5 * d * d, abs(d) <= V(params.turn))",
    slope: "clamp(d, V(-params.turn), V(params.turn))",
  },
  "smooth-l1": {
    loss: "select(abs(d) - 0.5 * params.turn, 0.5 * d * d / params.turn, abs(d) < V(params.turn))",
    slope: "select(sign(d), d / params.turn, abs(d) < V(params.turn))",
  },
} as const satisfies Readonly<Record<string, { readonly loss: string; readonly slope: string }>>;

/** @internal */
type Named = keyof typeof LOSSES;

/** An elementwise loss. */
export type LossKind = Named;

function forwardOp(kind: LossKind): Pointwise<"a" | "b", "turn"> {
  return definePointwise({
    name: `${kind}Loss`,
    inputs: ["a", "b"],
    params: { turn: "f32" },
    functions: `fn loss(d: V) -> V { return ${LOSSES[kind].loss}; }\n`,
    result: "loss(a - b)",
  });
}

function backwardOp(kind: LossKind): Pointwise<"a" | "b" | "dy", "turn" | "factor"> {
  return definePointwise({
    name: `${kind}LossBackward`,
    inputs: ["a", "b", "dy"],
    params: { turn: "f32", factor: "f32" },
    functions: `fn slope(d: V) -> V { return ${LOSSES[kind].slope}; }\n`,
    result: "params.factor * dy * slope(a - b)",
  });
}

/** The loss and its turning point; a smooth-l1 that turns at 0 is l1. */
function checked({ kind, turn = 1 }: LossOptions): { kind: LossKind; turn: number } {
  const smallest = kind === "smooth-l1" ? 0 : Number.MIN_VALUE;
  if (!(turn >= smallest && turn < Infinity)) {
    throw new RangeError(
      `Cannot compute ${kind} loss: its turning point must be a finite number ${
        kind === "smooth-l1" ? "of at least" : "above"
      } 0, got ${turn}`,
    );
  }
  return kind === "smooth-l1" && turn === 0 ? { kind: "l1", turn: 1 } : { kind, turn };
}

/**
 * The mean loss of `a` against `b`, which have one shape.
 *
 * @returns `[]`, or `[N]` a sample.
 * @throws {RangeError} When shapes differ or the turning point is not a positive number.
 */
export function lossForward(
  capture: Capture,
  a: TensorRef,
  b: TensorRef,
  options: LossOptions,
): TensorRef {
  const { kind, turn } = checked(options);
  const shape = options.perSample ? a.shape.slice(0, 1) : [];
  const scale = sizeOf(shape) / sizeOf(a.shape);
  return reduceRows(capture, forwardOp(kind), { a, b }, { turn }, { shape, scale });
}

/**
 * Gradient with respect to `a`, or with `negate` to `b`.
 *
 * @param dy Upstream gradient, of the loss's shape.
 */
export function lossBackward(
  capture: Capture,
  a: TensorRef,
  b: TensorRef,
  dy: TensorRef,
  options: LossOptions & { readonly negate?: boolean },
): TensorRef {
  const { kind, turn } = checked(options);
  const rows = sizeOf(dy.shape);
  const factor = (options.negate ? -1 : 1) * rows / sizeOf(a.shape);
  // Aligned at the first axis: a row's gradient is repeated along all others.
  const shape = a.shape.map((_, axis) => axis === 0 ? rows : 1);
  return broadcast(capture, backwardOp(kind), { a, b, dy: { ...dy, shape } }, { turn, factor });
}
