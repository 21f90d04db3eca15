/**
 * Elementwise losses of d = a - b and their means, with a turning point or scale c:
 *
 *     mse           d^2
 *     l1            |d|
 *     huber         d^2 / 2 where |d| <= c, else c (|d| - c / 2)                   (Huber 1964)
 *     smooth-l1     d^2 / (2 c) where |d| < c, else |d| - c / 2                    (Girshick 2015)
 *     pseudo-huber  sqrt(d^2 + c^2) - c                (Charbonnier et al. 1994; Song and Dhariwal 2023)
 *     laplace-nll   log(2 c) + |d| / c: minus the log density of Laplace's distribution
 *     bce           -(b log s(a) + (1 - b) log(1 - s(a))), s the sigmoid
 *     sigmoid-bce   the same with s(b) in place of b
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
  /** c of the module; 1 unless given. */
  readonly turn?: number;
  /** Whether the mean leaves the first axis: `[N]` instead of `[]`. */
  readonly perSample?: boolean;
}

/** How a loss is written: WGSL over V of a, b and d = a - b. */
interface LossText {
  readonly loss: string;
  /** Its slope in a. */
  readonly slope: string;
  /** Its slope in b; minus that in a unless given. */
  readonly slopeInB?: string;
}

const BCE_OF_LOGITS = "max(a, V()) - a * y + log(1.0 + exp(-abs(a)))";

/** A new loss is an entry here. */
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
  // d^2 / (root + c) is root - c without its cancellation.
  "pseudo-huber": {
    loss: "d * d / (sqrt(d * d + params.turn * params.turn) + params.turn)",
    slope: "d / sqrt(d * d + params.turn * params.turn)",
  },
  "laplace-nll": {
    loss: "log(2.0 * V(params.turn)) + abs(d) / params.turn",
    slope: "sign(d) / params.turn",
  },
  "bce": {
    loss: BCE_OF_LOGITS.replace("y", "b"),
    slope: "sigmoid(a) - b",
    slopeInB: "-a",
  },
  "sigmoid-bce": {
    loss: BCE_OF_LOGITS.replace("y", "sigmoid(b)"),
    slope: "sigmoid(a) - sigmoid(b)",
    slopeInB: "-a * sigmoid(b) * (1.0 - sigmoid(b))",
  },
} as const satisfies Readonly<Record<string, LossText>>;

const SIGMOID = "fn sigmoid(x: V) -> V { return 1.0 / (1.0 + exp(-x)); }\n";

/** @internal */
type Named = keyof typeof LOSSES;

/** An elementwise loss. */
export type LossKind = Named;

/** WGSL of a function of a, b and d. */
function ofBoth(name: string, text: string): string {
  const usesD = /\bd\b/.test(text);
  return `${text.includes("sigmoid") ? SIGMOID : ""}fn ${name}(a: V, b: V) -> V { ${
    usesD ? "let d = a - b; " : ""
  }return ${text}; }\n`;
}

function forwardOp(kind: LossKind): Pointwise<"a" | "b", "turn"> {
  return definePointwise({
    name: `${kind}Loss`,
    inputs: ["a", "b"],
    params: { turn: "f32" },
    functions: ofBoth("loss", LOSSES[kind].loss),
    result: "loss(a, b)",
  });
}

function backwardOp(
  kind: LossKind,
  inB: boolean,
): Pointwise<"a" | "b" | "dy", "turn" | "count"> {
  const { slope, slopeInB }: LossText = LOSSES[kind];
  const own = inB ? slopeInB : undefined;
  return definePointwise({
    name: `${kind}LossBackward${own ? "InB" : ""}`,
    inputs: ["a", "b", "dy"],
    params: { turn: "f32", count: "f32" },
    functions: ofBoth("slope", own ?? slope),
    // Divided, as the rounding of a factor would be in every gradient behind.
    result: "dy * slope(a, b) / params.count",
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
 * Gradient with respect to `a`, or with `inB` to `b`.
 *
 * @param dy Upstream gradient, of the loss's shape.
 */
export function lossBackward(
  capture: Capture,
  a: TensorRef,
  b: TensorRef,
  dy: TensorRef,
  options: LossOptions & { readonly inB?: boolean },
): TensorRef {
  const { kind, turn } = checked(options);
  const rows = sizeOf(dy.shape);
  const { inB = false } = options, { slopeInB }: LossText = LOSSES[kind];
  const count = (inB && !slopeInB ? -1 : 1) * sizeOf(a.shape) / rows;
  // Aligned at the first axis: a row's gradient is repeated along all others.
  const shape = a.shape.map((_, axis) => axis === 0 ? rows : 1);
  return broadcast(capture, backwardOp(kind, inB), { a, b, dy: { ...dy, shape } }, {
    turn,
    count,
  });
}
