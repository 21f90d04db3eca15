/**
 * Reverse-mode differentiation while a step is captured. Running a function over {@linkcode Tensor}s
 * records its dispatches and, for each op, a rule that turns the gradient of the output into
 * gradients of the inputs; {@linkcode Graph.backward} then records the rules' dispatches in reverse.
 *
 * Accumulation: where a tensor feeds several ops its gradients are added in a fixed order. A
 * parameter's gradient is written straight into its slot, or added to it in an accumulating graph.
 *
 * @module
 */
import type { Capture } from "../device/capture.ts";
import { formatShape, placeAt, reshape, sizeOf, type TensorRef } from "../device/tensor.ts";
import { addInto, addSame, copyInto } from "../kernels/add.ts";
import type { Parameter } from "./parameter.ts";

/** Gradients of an op's inputs, in order; null where an input has none. */
export type InputGrads = readonly (TensorRef | null)[];

/**
 * The derivative of one op at one place.
 *
 * @param gradOutput Gradient of the loss with respect to the op's output.
 * @param needs Which inputs want a gradient; others may be null.
 * @param absorb Hands over what other ops have contributed to input `i`'s gradient so far, if
 *   anything; a rule that calls it must return the sum. Kernels with an epilogue save a pass by it.
 */
export type BackwardRule = (
  gradOutput: TensorRef,
  needs: readonly boolean[],
  absorb: (i: number) => TensorRef | undefined,
) => InputGrads;

/** An op to be recorded. */
export interface OpRecord {
  readonly op: string;
  readonly inputs: readonly Tensor[];
  readonly output: TensorRef;
  /** Absent when the op has no derivative; it is then refused for inputs that want one. */
  readonly backward?: BackwardRule;
  /** Makes the output again in the backward pass; for ops that cost little and fill much memory. */
  readonly recompute?: () => TensorRef;
}

/** Where a parameter's value is and where its gradient goes. */
export interface ParameterSlot {
  readonly value: TensorRef;
  readonly grad?: TensorRef;
}

/** Choices of a {@linkcode Graph}. */
export interface GraphOptions {
  /** Slots of the parameters that the graph may use. */
  readonly parameters?: ReadonlyMap<Parameter, ParameterSlot>;
  /** Whether dropout drops; false unless given. */
  readonly training?: boolean;
  /** Add to the parameters' gradients instead of overwriting them; false unless given. */
  readonly accumulate?: boolean;
  /** Make outputs of cheap ops again in the backward pass instead of keeping them; false unless given. */
  readonly recompute?: boolean;
  /** Random numbers of this step: `[seedLow, seedHigh, step, firstSample]` as u32. */
  readonly random?: TensorRef;
}

/** A symbolic tensor that knows how it was made. */
export class Tensor {
  #again: TensorRef | undefined;

  /**
   * @param graph The graph that it belongs to.
   * @param ref Its shape and place.
   * @param needsGrad Whether a gradient with respect to it is wanted.
   * @param recompute Makes its values again, where they are not kept for the backward pass.
   */
  constructor(
    readonly graph: Graph,
    readonly ref: TensorRef,
    readonly needsGrad: boolean,
    private readonly recompute?: () => TensorRef,
  ) {}

  /** Its values for a backward rule: kept from the forward pass, or made again once for all rules. */
  saved(): TensorRef {
    if (!this.recompute) return this.ref;
    return this.#again ??= this.recompute();
  }

  /** Sizes, outermost first. */
  get shape(): readonly number[] {
    return this.ref.shape;
  }
}

/** The ops of one capture and their rules. */
export class Graph {
  /** Whether dropout drops. */
  readonly training: boolean;
  /** Streams below 16 belong to the diffusion process; each dropout takes the next one. */
  #nextStream = 16;
  readonly #ops: { record: OpRecord; output: Tensor }[] = [];
  readonly #parameters = new Map<Parameter, Tensor>();

  constructor(readonly capture: Capture, private readonly options: GraphOptions = {}) {
    this.training = options.training ?? false;
  }

  /**
   * The step's random key.
   *
   * @throws {TypeError} When the graph was made without one.
   */
  get random(): TensorRef {
    const { random } = this.options;
    if (!random) {
      throw new TypeError("Cannot draw random numbers: the graph must have a random key");
    }
    return random;
  }

  /** A fresh Philox stream, the same for equal captures. */
  nextStream(): number {
    return this.#nextStream++;
  }

  /** A tensor without gradient. */
  constant(ref: TensorRef): Tensor {
    return new Tensor(this, ref, false);
  }

  /** A leaf whose gradient {@linkcode backward} returns. */
  variable(ref: TensorRef): Tensor {
    return new Tensor(this, ref, true);
  }

  /**
   * The tensor of a parameter.
   *
   * @throws {RangeError} When the graph has no slot for it.
   */
  parameter(parameter: Parameter): Tensor {
    const known = this.#parameters.get(parameter);
    if (known) return known;
    const slot = this.options.parameters?.get(parameter);
    if (!slot) {
      throw new RangeError(
        `Cannot use a parameter of shape ${
          formatShape(parameter.shape)
        }: the graph must have a slot for it`,
      );
    }
    const tensor = new Tensor(this, slot.value, slot.grad !== undefined);
    this.#parameters.set(parameter, tensor);
    return tensor;
  }

  /**
   * Adds an op.
   *
   * @throws {TypeError} When an input wants a gradient and the op has no rule.
   */
  record(record: OpRecord): Tensor {
    const needsGrad = record.inputs.some((input) => input.needsGrad);
    if (needsGrad && !record.backward) {
      throw new TypeError(
        `Cannot record ${record.op}: it has no derivative, so no input may want a gradient`,
      );
    }
    const recompute = this.options.recompute ? record.recompute : undefined;
    const output = new Tensor(this, record.output, needsGrad, recompute);
    if (needsGrad) this.#ops.push({ record, output });
    return output;
  }

  /**
   * Records the gradients of `loss` with respect to every leaf that it depends on.
   *
   * @param loss A tensor that depends on a parameter or variable.
   * @param seed Gradient of the final objective with respect to `loss`, of its shape; for a scalar
   *   loss a tensor of one 1 unless given.
   * @returns Gradients of the variables. Parameters' gradients are in their slots.
   * @throws {TypeError} When nothing that wants a gradient leads to `loss`.
   */
  backward(loss: Tensor, seed?: TensorRef): Map<Tensor, TensorRef> {
    if (!loss.needsGrad) {
      throw new TypeError(
        "Cannot differentiate: the loss must depend on a parameter or a variable, got a constant",
      );
    }
    const grads = new Map<Tensor, TensorRef>([[loss, seed ?? this.#one(loss)]]);
    for (const { record, output } of this.#ops.toReversed()) {
      const gradOutput = grads.get(output);
      if (!gradOutput || !record.backward) continue;
      grads.delete(output);
      const inputGrads = record.backward(
        gradOutput,
        record.inputs.map((x) => x.needsGrad),
        (i) => {
          const input = record.inputs[i];
          // A tensor that is several inputs of one op has several contributions to come.
          if (!input || record.inputs.filter((other) => other === input).length > 1) return;
          const before = grads.get(input);
          grads.delete(input);
          return before;
        },
      );
      record.inputs.forEach((input, i) => {
        const grad = inputGrads[i];
        if (grad && input.needsGrad) {
          grads.set(input, this.#sum(record.op, grads.get(input), grad, input));
        }
      });
    }
    for (const [parameter, tensor] of this.#parameters) {
      const grad = grads.get(tensor);
      const slot = this.options.parameters?.get(parameter)?.grad;
      if (!grad || !slot) continue;
      this.#deliver(grad, slot);
      grads.delete(tensor);
    }
    return grads;
  }

  #sum(op: string, before: TensorRef | undefined, grad: TensorRef, input: Tensor): TensorRef {
    if (sizeOf(grad.shape) !== sizeOf(input.shape)) {
      throw new RangeError(
        `Cannot differentiate ${op}: the gradient must have its input's shape ${
          formatShape(input.shape)
        }, got ${formatShape(grad.shape)}`,
      );
    }
    const shaped = reshape(grad, input.shape);
    return before ? addSame(this.capture, before, shaped) : shaped;
  }

  #deliver(grad: TensorRef, slot: TensorRef): void {
    if (this.options.accumulate) addInto(this.capture, slot, grad);
    else if (!placeAt(grad, slot)) copyInto(this.capture, slot, grad);
  }

  #one(loss: Tensor): TensorRef {
    if (sizeOf(loss.shape) !== 1) {
      throw new TypeError(
        `Cannot differentiate: a loss without a seed must be a scalar, got shape ${
          formatShape(loss.shape)
        }`,
      );
    }
    const { gpu } = this.capture;
    return gpu.tensor(loss.shape, { data: new Float32Array([1]), label: "one" });
  }
}
