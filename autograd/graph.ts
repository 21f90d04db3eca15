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
import { fillZero } from "../kernels/fill.ts";
import { type PartialSum, sumParts } from "../kernels/partial_sums.ts";
import { DeferredSums } from "./deferred_sums.ts";
import type { Parameter } from "./parameter.ts";
import { removeUnread } from "./unread.ts";

/** Gradients of an op's inputs, in order; null where an input has none. */
export type InputGrads = readonly (TensorRef | null)[];

/** Ways for a rule to save passes over memory. */
export interface GradientFlow {
  /**
   * Hands over what other ops have contributed to input `i`'s gradient so far, if anything; a rule
   * that calls it must return the sum, as kernels with an epilogue can.
   */
  absorb(i: number): TensorRef | undefined;
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
}

/**
 * The derivative of one op at one place.
 *
 * @param gradOutput Gradient of the loss with respect to the op's output.
 * @param needs Which inputs want a gradient; others may be null.
 */
export type BackwardRule = (
  gradOutput: TensorRef,
  needs: readonly boolean[],
  flow: GradientFlow,
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

/**
 * What the backward pass makes again instead of keeping it:
 *
 * - `false`: nothing;
 * - `true`: outputs of cheap ops, by {@linkcode OpRecord.recompute};
 * - `"blocks"`: those, and everything inside a {@linkcode Graph.checkpoint}.
 */
export type Recompute = boolean | "blocks";

/** Choices of a {@linkcode Graph}. */
export interface GraphOptions {
  /** Slots of the parameters that the graph may use. */
  readonly parameters?: ReadonlyMap<Parameter, ParameterSlot>;
  /** Whether dropout drops; false unless given. */
  readonly training?: boolean;
  /** Add to the parameters' gradients instead of overwriting them; false unless given. */
  readonly accumulate?: boolean;
  /** What the backward pass makes again; nothing unless given. The bits are the same. */
  readonly recompute?: Recompute;
  /** Random numbers of this step: `[seedLow, seedHigh, step, firstSample]` as u32. */
  readonly random?: TensorRef;
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

/** A symbolic tensor that knows how it was made. */
export class Tensor {
  /** Wanted of the tensor's gradient. */
  sums: WantedSums | undefined;
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

/** Something to be differentiated: an op, or a stretch of ops that is run again first. */
interface Entry {
  readonly output: Tensor;
  readonly record?: OpRecord;
  readonly replay?: { readonly body: () => Tensor; readonly firstStream: number };
}

/** The ops of one capture and their rules. */
export class Graph {
  /** Whether dropout drops. */
  readonly training: boolean;
  /** Streams below 16 belong to the diffusion process; each dropout takes the next one. */
  #nextStream = 16;
  #entries: Entry[] = [];
  #replaying = false;
  readonly #parameters = new Map<Parameter, Tensor>();
  /** Where the gradients of parameters go. */
  readonly #slots = new Map<Tensor, TensorRef>();
  /** Ops that each tensor feeds; parameters are the same in replays, whose ops are not counted. */
  readonly #uses = new Map<Tensor, number>();
  readonly #deferred: DeferredSums;
  /** Gradients that rules are adding to, see {@linkcode GradientFlow.shared}. */
  readonly #shared = new Map<Tensor, TensorRef>();

  constructor(readonly capture: Capture, private readonly options: GraphOptions = {}) {
    this.training = options.training ?? false;
    this.#deferred = new DeferredSums(capture, options.accumulate ?? false);
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
    if (slot.grad) this.#slots.set(tensor, slot.grad);
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
    if (!needsGrad) return output;
    this.#entries.push({ record, output });
    for (const input of record.inputs) {
      if (this.#replaying && this.#slots.has(input)) continue;
      this.#uses.set(input, (this.#uses.get(input) ?? 0) + 1);
    }
    return output;
  }

  /**
   * Runs a stretch of ops, of which only the inputs and the output are kept where the graph recomputes
   * `"blocks"`: when the backward pass gets there, the stretch is run again with the same random
   * streams and then differentiated (Chen et al. 2016, "Training Deep Nets with Sublinear Memory
   * Cost"). What it computes, and every gradient, has the same bits. Stretches inside a stretch are
   * parts of it.
   *
   * @param body The ops. It must do the same each time, and its tensors must not be used outside.
   */
  checkpoint(body: () => Tensor): Tensor {
    if (this.options.recompute !== "blocks" || this.#replaying) return body();
    const firstStream = this.#nextStream;
    const { result } = this.#apart(body);
    const output = new Tensor(this, result.ref, result.needsGrad);
    if (result.needsGrad) this.#entries.push({ output, replay: { body, firstStream } });
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
    this.#differentiate(this.#entries, grads);
    this.#deferred.flush();
    for (const [tensor, slot] of this.#slots) {
      const grad = this.#takeGrad(tensor, grads);
      if (grad) this.#deliver(grad, slot);
    }
    for (const tensor of [...this.#shared.keys()]) {
      grads.set(tensor, this.#takeGrad(tensor, grads)!);
    }
    return grads;
  }

  /** Goes through entries in reverse, turning gradients of outputs into gradients of inputs. */
  #differentiate(entries: readonly Entry[], grads: Map<Tensor, TensorRef>): void {
    for (const { record, replay, output } of entries.toReversed()) {
      const gradOutput = this.#takeGrad(output, grads);
      if (!gradOutput) continue;
      if (record) this.#applyRule(record, gradOutput, grads);
      else if (replay) {
        const { dispatches } = this.capture;
        const first = dispatches.length;
        const { result, entries } = this.#replay(replay);
        const end = dispatches.length;
        // An identity hands its input through, which may have a gradient already.
        grads.set(result, this.#sum("a checkpoint", grads.get(result), gradOutput, result));
        this.#differentiate(entries, grads);
        // The stretch's last ops, whose outputs no rule asks for.
        removeUnread(this.capture, first, end);
      }
    }
  }

  #applyRule(record: OpRecord, gradOutput: TensorRef, grads: Map<Tensor, TensorRef>): void {
    if (!record.backward) return;
    const inputGrads = record.backward(gradOutput, record.inputs.map((x) => x.needsGrad), {
      absorb: (i) => {
        const input = record.inputs[i];
        // A tensor that is several inputs of one op has several contributions to come.
        if (!input || record.inputs.filter((other) => other === input).length > 1) return;
        const before = grads.get(input);
        grads.delete(input);
        return before;
      },
      shared: (i) => this.sharedGrad(record.inputs[i]!),
      defer: (i, sum) => this.#defer(record.inputs[i], sum),
    });
    record.inputs.forEach((input, i) => {
      const grad = inputGrads[i];
      if (grad && input.needsGrad) {
        grads.set(input, this.#sum(record.op, grads.get(input), grad, input));
      }
    });
  }

  /** See {@linkcode GradientFlow.shared}. */
  sharedGrad(input: Tensor): TensorRef {
    let grad = this.#shared.get(input);
    if (!grad) {
      grad = this.capture.transient(input.shape, "shared gradient");
      fillZero(this.capture, grad);
      this.#shared.set(input, grad);
    }
    return grad;
  }

  /** All that rules have contributed to a tensor's gradient. */
  #takeGrad(tensor: Tensor, grads: Map<Tensor, TensorRef>): TensorRef | undefined {
    const grad = grads.get(tensor), shared = this.#shared.get(tensor);
    grads.delete(tensor);
    this.#shared.delete(tensor);
    return grad && shared ? addSame(this.capture, grad, shared) : grad ?? shared;
  }

  /** Whether one op alone has the tensor as an input, so that it makes the whole gradient. */
  isUsedOnce(tensor: Tensor): boolean {
    return this.#uses.get(tensor) === 1;
  }

  /** Puts the sum off where it is all of a parameter's gradient. */
  #defer(input: Tensor | undefined, sum: PartialSum): TensorRef | null {
    const slot = input && this.isUsedOnce(input) ? this.#slots.get(input) : undefined;
    return slot && this.#deferred.add(sum, slot) ? null : sumParts(this.capture, sum);
  }

  /** Runs `body` with entries of its own. */
  #apart(body: () => Tensor): { result: Tensor; entries: Entry[] } {
    const outer = this.#entries;
    this.#entries = [];
    try {
      return { result: body(), entries: this.#entries };
    } finally {
      this.#entries = outer;
    }
  }

  #replay({ body, firstStream }: NonNullable<Entry["replay"]>) {
    const nextStream = this.#nextStream;
    this.#nextStream = firstStream;
    this.#replaying = true;
    try {
      return this.#apart(body);
    } finally {
      this.#replaying = false;
      this.#nextStream = nextStream;
    }
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
    return this.capture.constant(loss.shape, new Float32Array([1]), "one");
  }
}
