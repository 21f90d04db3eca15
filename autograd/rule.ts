/**
 * What an op tells the graph: how its output is made again, and the rule that turns the gradient of the
 * output into gradients of the inputs.
 *
 * @module
 */
import type { TensorRef } from "../device/tensor.ts";
import type { PartialSum } from "../kernels/shared/partial_sums.ts";
import type { Tensor } from "./graph.ts";

/** Gradients of an op's inputs, in order; null where an input has none. */
export type InputGrads = readonly (TensorRef | null)[];

/** Ways for a rule to save passes over memory. */
export interface GradientFlow {
  /**
   * Hands over what other ops have contributed to input `i`'s gradient so far, if anything; a rule
   * that calls it must return the sum, as kernels with an epilogue can.
   */
  absorb(i: number): TensorRef | undefined;
  /** The same, for a rule that can add two tensors: at most so many, to be added in this order. */
  absorbParts(i: number): readonly TensorRef[];
  /**
   * A gradient of input `i` that several rules make together: zeros at first. A rule that asks for it
   * adds to a part of it and returns null for the input.
   */
  shared(i: number): TensorRef;
  /**
   * The gradient of input `i` from its parts: null where the graph sees to it, together with others,
   * else the sum.
   */
  defer(i: number, sum: PartialSum): TensorRef | null;
  /**
   * Has the gradients of the inputs `of` made from the values of input `i`: now, or when these have
   * been made again. The rule itself returns null for them.
   *
   * @param make Returns them in the order of `of`; it may read the values and `gradOutput`.
   */
  later(i: number, of: readonly number[], make: (values: TensorRef) => InputGrads): void;
  /**
   * Whether the rule must leave the output's values in the place of `gradOutput`, see
   * {@linkcode OpRecord.overwrites}.
   */
  readonly overwrite: boolean;
}

/**
 * The derivative of one op at one place.
 *
 * @param gradOutput Gradient of the loss with respect to the op's output.
 * @param needs Which inputs want a gradient; others may be null.
 * @returns Gradients that the rule does not hold on to.
 */
export type BackwardRule = (
  gradOutput: TensorRef,
  needs: readonly boolean[],
  flow: GradientFlow,
) => InputGrads;

/**
 * An op to be recorded.
 *
 * @internal
 */
export interface OpRecord {
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly output: TensorRef;
  /** Absent when the op has no derivative; it is then refused for inputs that want one. */
  readonly backward?: BackwardRule;
  /** Makes the output again in the backward pass; for ops that cost little and fill much memory. */
  readonly recompute?: () => TensorRef;
  /**
   * Whether the rule can write the output's values over its gradient, which it has read by then: a
   * pass over memory less than `recompute` where other gradients need them; false unless given.
   */
  readonly overwrites?: boolean;
}

/**
 * Sums of a tensor's gradient over the pixels of each image, which some gradient of another tensor is made
 * of. Whoever makes the tensor's gradient may add them there and then.
 */
export interface WantedSums {
  /** The columns of a matrix that they are added to. */
  into(): { readonly matrix: TensorRef; readonly start: number };
  /** Set by who has added them. */
  done: boolean;
}
