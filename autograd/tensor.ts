/**
 * Symbolic tensors that know how they were made, and what an op tells of itself.
 *
 * @module
 */
import type { Capture } from "../device/capture.ts";
import type { DType } from "../device/element.ts";
import type { TensorRef } from "../device/tensor.ts";
import { castTo } from "../kernels/elementwise/cast.ts";
import type { Parameter } from "./parameter.ts";
import type { BackwardRule } from "./rule.ts";

/** What ops and modules see of a graph. */
export interface Tape {
  /** What ops append their dispatches to. */
  readonly capture: Capture;
  /** Whether dropout drops. */
  readonly training: boolean;
  /**
   * The step's random key.
   *
   * @throws {TypeError} When the graph was made without one.
   */
  readonly random: TensorRef;
  /** A fresh Philox stream, the same for equal captures. */
  nextStream(): number;
  /** A tensor without gradient. */
  constant(ref: TensorRef): Tensor;
  /** A leaf whose gradient the backward pass returns. */
  variable(ref: TensorRef): Tensor;
  /**
   * The tensor of a parameter.
   *
   * @throws {RangeError} When the graph has no slot for it.
   */
  parameter(parameter: Parameter): Tensor;
  /**
   * Adds an op.
   *
   * @throws {TypeError} When an input wants a gradient and the op has no rule.
   */
  record(record: OpRecord): Tensor;
  /**
   * Runs a stretch of ops, of which only the inputs and the output are kept where the graph recomputes
   * `"blocks"`.
   */
  checkpoint(body: () => Tensor): Tensor;
  /** Makes values again in the backward pass. */
  remake(make: () => TensorRef): TensorRef;
}

/** An op to be recorded. */
export interface OpRecord {
  /** Its name, for errors. */
  readonly op: string;
  /** What it was made from. */
  readonly inputs: readonly Tensor[];
  /** What it made. */
  readonly output: TensorRef;
  /** Absent when the op has no derivative; it is then refused for inputs that want one. */
  readonly backward?: BackwardRule;
  /** Makes the output again in the backward pass; for ops that cost little and fill much memory. */
  readonly recompute?: () => TensorRef;
}

/** A symbolic tensor that knows how it was made. */
export class Tensor {
  #again: TensorRef | undefined;
  #copy: TensorRef | undefined;

  /**
   * A tensor of a graph.
   *
   * @param recompute Makes its values again, where they are not kept for the backward pass.
   */
  constructor(
    /** The graph that it belongs to. */
    readonly graph: Tape,
    /** Its shape and place. */
    readonly ref: TensorRef,
    /** Whether a gradient with respect to it is wanted. */
    readonly needsGrad: boolean,
    private readonly recompute?: () => TensorRef,
  ) {}

  /** Its values for a backward rule: kept from the forward pass, or made again once for all rules. */
  saved(): TensorRef {
    if (!this.recompute) return this.ref;
    return this.#again ??= this.graph.remake(this.recompute);
  }

  /**
   * A weight's values as the activations that it meets are stored; a copy in another type is made once.
   * Its gradient is that of the weight itself.
   */
  storedAs(dtype: DType): TensorRef {
    if (this.ref.dtype === dtype) return this.ref;
    return this.#copy ??= castTo(this.graph.capture, this.ref, dtype);
  }

  /** Sizes, outermost first. */
  get shape(): readonly number[] {
    return this.ref.shape;
  }
}
