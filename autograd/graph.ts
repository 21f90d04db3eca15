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
import type { Dispatch } from "../device/dispatch.ts";
import { formatShape, placeAt, sizeOf, type TensorRef } from "../device/tensor.ts";
import { addInto, copyInto } from "../kernels/elementwise/add.ts";
import { STREAMS } from "../support/random_streams.ts";
import { Gradients } from "./gradients.ts";
import type { Parameter } from "./parameter.ts";
import { endSums } from "./passes/end_sums.ts";
import { fuseSums } from "./passes/fuse_sums.ts";
import { removeUnread } from "./passes/remove_unread.ts";
import { restoreValues, storagesOf } from "./passes/restore_values.ts";
import { storeSums } from "./passes/store_sums.ts";
import { type OpRecord, type Tape, Tensor } from "./tensor.ts";

export { Tensor } from "./tensor.ts";

/** Where a parameter's value is and where its gradient goes. */
export interface ParameterSlot {
  /** Its value. */
  readonly value: TensorRef;
  /** Where its gradient goes; none is taken unless given. */
  readonly grad?: TensorRef;
  /** Records what is used in its place, of its own value; itself unless given. */
  readonly derive?: (own: Tensor) => Tensor;
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
  /** In how many stages the parameters' gradients are to be ready; 1 unless given. */
  readonly stages?: number;
  /** Random numbers of this step: `[seedLow, seedHigh, step, firstSample]` as u32. */
  readonly random?: TensorRef;
}

/** Something to be differentiated: an op, or a stretch of ops that is run again first. */
interface Entry {
  readonly output: Tensor;
  readonly record?: OpRecord;
  readonly replay?: { readonly body: () => Tensor; readonly firstStream: number };
}

/** The ops of one capture and their rules. */
export class Graph implements Tape {
  /** Whether dropout drops. */
  readonly training: boolean;
  #nextStream: number = STREAMS.firstDropout;
  #entries: Entry[] = [];
  /** Those that are in no stretch. */
  readonly #outermost = this.#entries;
  #replaying = false;
  readonly #parameters = new Map<Parameter, Tensor>();
  /** Where the gradients of parameters go. */
  readonly #slots = new Map<Tensor, TensorRef>();
  /** Dispatches that make values again for the backward pass. */
  readonly #remade = new Set<Dispatch>();
  #grads: Gradients;

  /** Begins a graph whose ops are recorded in `capture`. */
  constructor(readonly capture: Capture, private readonly options: GraphOptions = {}) {
    this.training = options.training ?? false;
    this.#grads = this.#noGradients();
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
    const own = new Tensor(this, slot.value, slot.grad !== undefined);
    if (slot.grad) this.#slots.set(own, slot.grad);
    const tensor = slot.derive ? this.#derived(slot.derive, own) : own;
    this.#parameters.set(parameter, tensor);
    return tensor;
  }

  /** What is made of a parameter serves every stretch, and is no part of the one that asks first. */
  #derived(derive: (own: Tensor) => Tensor, own: Tensor): Tensor {
    const inner = this.#entries;
    this.#entries = this.#outermost;
    try {
      return derive(own);
    } finally {
      this.#entries = inner;
    }
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
    if (needsGrad) this.#entries.push({ record, output });
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
    const first = this.capture.dispatches.length;
    this.#grads = this.#noGradients();
    this.#grads.add("the loss", loss, seed ?? this.#one(loss));
    this.#differentiate(this.#entries);
    this.#improve(first);
    for (const [tensor, slot] of this.#slots) {
      const grad = this.#grads.take(tensor);
      if (grad) this.#deliver(grad, slot);
    }
    return this.#grads.takeAll();
  }

  #noGradients(): Gradients {
    return new Gradients(this.capture, (tensor) => this.#slots.has(tensor));
  }

  /** The passes over what a backward pass has recorded. None changes a bit of any gradient. */
  #improve(first: number): void {
    const { capture, options } = this;
    fuseSums(capture, first);
    storeSums(capture, first);
    const held = storagesOf(this.#grads.held());
    restoreValues(capture, { first, remade: this.#remade, held });
    const sums = [...this.#grads.takeSums()];
    endSums(capture, sums.map(([tensor, sum]) => ({ sum, slot: this.#slots.get(tensor)! })), {
      accumulate: options.accumulate ?? false,
      frugal: options.recompute === "blocks",
      stages: options.stages ?? 1,
    });
  }

  /** Goes through entries in reverse, turning gradients of outputs into gradients of inputs. */
  #differentiate(entries: readonly Entry[]): void {
    const grads = this.#grads;
    for (const { record, replay, output } of entries.toReversed()) {
      const gradOutput = grads.take(output);
      if (!gradOutput) continue;
      if (replay) this.#differentiateAgain(replay, gradOutput);
      if (!record?.backward) continue;
      const needs = record.inputs.map((input) => input.needsGrad);
      const absorb = (i: number, most = 1) => grads.absorb(record, i, most);
      grads.addOf(record, record.backward(gradOutput, needs, absorb));
    }
  }

  /** Runs a stretch again and differentiates it. */
  #differentiateAgain(replay: NonNullable<Entry["replay"]>, gradOutput: TensorRef): void {
    const first = this.capture.dispatches.length;
    const { result, entries } = this.#replay(replay);
    const end = this.capture.dispatches.length;
    // An identity hands its input through, which may have a gradient already.
    this.#grads.add("a checkpoint", result, gradOutput);
    this.#differentiate(entries);
    // The stretch's last ops, whose outputs no rule asks for.
    removeUnread(this.capture, first, end);
  }

  /** Makes values again in the backward pass. */
  remake(make: () => TensorRef): TensorRef {
    const first = this.capture.dispatches.length;
    const values = make();
    for (const dispatch of this.capture.dispatches.slice(first)) this.#remade.add(dispatch);
    return values;
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
