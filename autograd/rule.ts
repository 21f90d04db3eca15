/**
 * What an op's rule gives back, and the one thing that it may ask for.
 *
 * @module
 */
import type { TensorRef } from "../device/tensor.ts";
import type { PartialSum } from "../kernels/shared/partial_sums.ts";

/**
 * The gradient of an input:
 *
 * - a tensor that the rule does not hold on to, which may be an upstream gradient handed on;
 * - a sum over parts, which the graph ends together with others where it can;
 * - a function that adds to a part of a gradient that several rules make together;
 * - null for none.
 */
export type InputGrad = TensorRef | PartialSum | ((total: TensorRef) => void) | null;

/** Gradients of an op's inputs, in order. */
export type InputGrads = readonly InputGrad[];

/**
 * Hands over what other ops have contributed to input `i`'s gradient so far: at most `most` tensors, one
 * unless given, to be added in their order. A rule that asks must add them to what it returns for the
 * input, as kernels with an epilogue can.
 */
export type Absorb = (i: number, most?: number) => readonly TensorRef[];

/**
 * The derivative of one op at one place. It reads values of inputs by `Tensor.saved`, weights by their
 * `ref`.
 *
 * @param gradOutput Gradient of the loss with respect to the op's output.
 * @param needs Which inputs want a gradient; others may be null.
 */
export type BackwardRule = (
  gradOutput: TensorRef,
  needs: readonly boolean[],
  absorb: Absorb,
) => InputGrads;
