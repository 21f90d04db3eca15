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
import { formatShape, placeAt, sizeOf, type TensorRef } from "../device/tensor.ts";
import { addInto, copyInto } from "../kernels/elementwise/add.ts";
import { type PartialSum, sumParts } from "../kernels/shared/partial_sums.ts";
import { STREAMS } from "../support/random_streams.ts";
import { DeferredSums } from "./deferred_sums.ts";
import { Gradients } from "./gradients.ts";
import type { Parameter } from "./parameter.ts";
import type { InputGrads, OpRecord, WantedSums } from "./rule.ts";
import { removeUnread } from "./unread.ts";

/** Where a parameter's value is and where its gradient goes. */
export interface ParameterSlot {
  /** Its value. */
  readonly value: TensorRef;
  /** Where its gradient goes; none is taken unless given. */
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

/** A symbolic tensor that knows how it was made. */
export class Tensor {
  /**
   * Wanted of the tensor's gradient.
   *
   * @internal
   */
  sums: WantedSums | undefined;
  #again: TensorRef | undefined;

  /**
   * Made by the graph and its ops.
   *
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

  /** Whether its values are neither kept nor made again yet. */
  get isMissing(): boolean {
    return this.recompute !== undefined && this.#again === undefined;
  }

  /** Takes values that have been made again in passing. */
  restore(values: TensorRef): void {
    this.#again = values;
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
  #nextStream: number = STREAMS.firstDropout;
  #entries: Entry[] = [];
  #replaying = false;
  readonly #parameters = new Map<Parameter, Tensor>();
  /** Where the gradients of parameters go. */
  readonly #slots = new Map<Tensor, TensorRef>();
  /** Ops that each tensor feeds; parameters are the same in replays, whose ops are not counted. */
  readonly #uses = new Map<Tensor, number>();
  readonly #deferred: DeferredSums;
  #grads: Gradients;
  /** Gradients that wait for a tensor's values, which the rule of its op, yet to come, can restore. */
  readonly #waiting = new Map<Tensor, (() => void)[]>();

  /** Begins a graph whose ops are recorded in `capture`. */
  constructor(readonly capture: Capture, private readonly options: GraphOptions = {}) {
    this.training = options.training ?? false;
    this.#deferred = new DeferredSums(capture, {
      accumulate: options.accumulate ?? false,
      frugal: options.recompute === "blocks",
    });
    this.#grads = new Gradients(capture);
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
    this.#grads = new Gradients(this.capture);
    this.#grads.add("the loss", loss, seed ?? this.#one(loss));
    this.#differentiate(this.#entries);
    this.#deferred.flush();
    for (const [tensor, slot] of this.#slots) {
      const grad = this.#grads.take(tensor);
      if (grad) this.#deliver(grad, slot);
    }
    return this.#grads.takeAll();
  }

  /** Goes through entries in reverse, turning gradients of outputs into gradients of inputs. */
  #differentiate(entries: readonly Entry[]): void {
    for (const { record, output } of entries) {
      if (record?.overwrites && output.isMissing) this.#waiting.set(output, []);
    }
    for (const { record, replay, output } of entries.toReversed()) {
      const waiting = this.#waiting.get(output) ?? [];
      this.#waiting.delete(output);
      const gradOutput = this.#grads.take(output);
      if (gradOutput && record) this.#applyRule({ record, output }, gradOutput, waiting.length > 0);
      else if (gradOutput && replay) this.#differentiateAgain(replay, gradOutput);
      for (const make of waiting) make();
    }
  }

  /** Runs a stretch again and differentiates it. */
  #differentiateAgain(replay: NonNullable<Entry["replay"]>, gradOutput: TensorRef): void {
    const { dispatches } = this.capture;
    const first = dispatches.length;
    const { result, entries } = this.#replay(replay);
    const end = dispatches.length;
    // An identity hands its input through, which may have a gradient already.
    this.#grads.add("a checkpoint", result, gradOutput);
    this.#differentiate(entries);
    // The stretch's last ops, whose outputs no rule asks for.
    removeUnread(this.capture, first, end);
  }

  /** @param awaited Whether gradients wait for the output's values. */
  #applyRule(
    { record, output }: { record: OpRecord; output: Tensor },
    gradOutput: TensorRef,
    awaited: boolean,
  ): void {
    if (!record.backward) return;
    const grads = this.#grads;
    const first = this.capture.dispatches.length;
    const overwrite = awaited && output.isMissing && grads.isOwn(gradOutput);
    const inputGrads = record.backward(gradOutput, record.inputs.map((x) => x.needsGrad), {
      absorb: (i) => grads.absorb(record, i),
      absorbParts: (i) => grads.absorbParts(record, i),
      shared: (i) => grads.shared(record.inputs[i]!),
      defer: (i, sum) => this.#defer(record.inputs[i], sum),
      later: (i, of, make) => this.#later(record, i, of, make),
      overwrite,
    });
    if (overwrite) output.restore(gradOutput);
    grads.addOf(record, inputGrads, first);
  }

  /** See {@linkcode GradientFlow.later}. */
  #later(
    record: OpRecord,
    i: number,
    of: readonly number[],
    make: (values: TensorRef) => InputGrads,
  ): void {
    const { inputs } = record, source = inputs[i]!;
    const contribute = () => {
      const first = this.capture.dispatches.length;
      const made = make(source.saved());
      this.#grads.addOf(record, inputs.map((_, j) => made[of.indexOf(j)] ?? null), first);
    };
    const waiting = this.#waiting.get(source);
    // No rule is waiting for the gradient of a parameter; of one that is used several times it is a sum,
    // whose order must not change.
    const canWait = of.every((j) => !inputs[j]?.needsGrad || this.#onlySlot(inputs[j]));
    if (waiting && source.isMissing && canWait) waiting.push(contribute);
    else contribute();
  }

  /** See {@linkcode GradientFlow.shared}. */
  sharedGrad(input: Tensor): TensorRef {
    return this.#grads.shared(input);
  }

  /** Whether one op alone has the tensor as an input, so that it makes the whole gradient. */
  isUsedOnce(tensor: Tensor): boolean {
    return this.#uses.get(tensor) === 1;
  }

  /** Where the gradient of a parameter goes whose whole gradient one op makes. */
  #onlySlot(input: Tensor | undefined): TensorRef | undefined {
    return input && this.isUsedOnce(input) ? this.#slots.get(input) : undefined;
  }

  /** Puts the sum off where it is all of a parameter's gradient. */
  #defer(input: Tensor | undefined, sum: PartialSum): TensorRef | null {
    const slot = this.#onlySlot(input);
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
