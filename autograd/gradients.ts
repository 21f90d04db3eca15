/**
 * Gradients on their way: from the rules that contribute to them to the rule of the op that made the
 * tensor, or out of the graph.
 *
 * @module
 */
import type { Capture } from "../device/capture.ts";
import { formatShape, joinedAs, reshape, sizeOf, type TensorRef } from "../device/tensor.ts";
import { addSame } from "../kernels/elementwise/add.ts";
import { castTo } from "../kernels/elementwise/cast.ts";
import { fillZero } from "../kernels/layout/fill.ts";
import { type PartialSum, sumParts } from "../kernels/shared/partial_sums.ts";
import type { InputGrad, InputGrads } from "./rule.ts";
import type { OpRecord, Tensor } from "./tensor.ts";
import { isWhole } from "./whole.ts";

/** The gradients of one backward pass. */
export class Gradients {
  /** One contribution or two; where a third comes, the first two are added. */
  readonly #grads = new Map<Tensor, readonly TensorRef[]>();
  /** Those that rules add to, see {@linkcode InputGrad}. */
  readonly #shared = new Map<Tensor, TensorRef>();
  /** Parameters' gradients that are one sum over parts so far. */
  readonly #sums = new Map<Tensor, PartialSum>();

  /** @param isParameter Whether a tensor's gradient is wanted at the end and not before. */
  constructor(
    private readonly capture: Capture,
    private readonly isParameter: (tensor: Tensor) => boolean,
  ) {}

  /** Adds what a rule has made of its inputs' gradients, which are stored as the inputs are. */
  addOf({ op, inputs }: OpRecord, grads: InputGrads): void {
    inputs.forEach((input, i) => {
      const grad = grads[i];
      if (grad && input.needsGrad) this.add(op, input, grad);
    });
  }

  /**
   * Adds a contribution to a tensor's gradient.
   *
   * @param op Who made it, for the error.
   * @throws {RangeError} When it has another size than the tensor.
   */
  add(op: string, tensor: Tensor, grad: NonNullable<InputGrad>): void {
    const waiting = this.#sums.get(tensor);
    if (waiting) {
      this.#sums.delete(tensor);
      this.#addMade(tensor, sumParts(this.capture, waiting));
    }
    if (typeof grad === "function") return grad(this.#sharedOf(tensor));
    if (sizeOf(grad.shape) !== sizeOf(tensor.shape)) {
      throw new RangeError(
        `Cannot differentiate ${op}: the gradient must have its input's shape ${
          formatShape(tensor.shape)
        }, got ${formatShape(grad.shape)}`,
      );
    }
    if (!("parts" in grad)) this.#addMade(tensor, grad);
    else if (this.#canWait(tensor, grad)) this.#sums.set(tensor, grad);
    else this.#addMade(tensor, sumParts(this.capture, grad));
  }

  #canWait(tensor: Tensor, { parts }: PartialSum): boolean {
    const isFirst = !this.#grads.has(tensor) && !this.#shared.has(tensor);
    return isFirst && parts.dtype === tensor.ref.dtype && this.isParameter(tensor) &&
      isWhole(parts);
  }

  #addMade(tensor: Tensor, grad: TensorRef): void {
    const [first, second] = this.#grads.get(tensor) ?? [];
    const before = second ? [this.#sum(first!, second)] : first ? [first] : [];
    const made = castTo(this.capture, grad, tensor.ref.dtype);
    this.#grads.set(tensor, [...before, reshape(made, tensor.shape)]);
  }

  /** See {@linkcode Absorb}. */
  absorb({ inputs }: OpRecord, i: number, most: number): readonly TensorRef[] {
    const input = inputs[i];
    // A tensor that is several inputs of one op has several contributions to come.
    if (!input || most < 1 || inputs.filter((other) => other === input).length > 1) return [];
    const before = this.#grads.get(input) ?? [];
    this.#grads.delete(input);
    const [first, second] = before;
    return most < 2 && first && second ? [this.#sum(first, second)] : before;
  }

  #sharedOf(tensor: Tensor): TensorRef {
    let grad = this.#shared.get(tensor);
    if (!grad) {
      grad = this.capture.transient(tensor.shape, "shared gradient");
      fillZero(this.capture, grad);
      this.#shared.set(tensor, grad);
    }
    return grad;
  }

  /** Removes and returns all that rules have contributed to a tensor's gradient. */
  take(tensor: Tensor): TensorRef | undefined {
    const shared = this.#shared.get(tensor);
    const parts = [...this.#grads.get(tensor) ?? [], ...shared ? [shared] : []];
    this.#grads.delete(tensor);
    this.#shared.delete(tensor);
    const [first, ...rest] = parts;
    const total = first && rest.reduce((sum, part) => this.#sum(sum, part), first);
    return total && castTo(this.capture, total, tensor.ref.dtype);
  }

  /** Removes and returns the sums over parts that are whole gradients. */
  takeSums(): Map<Tensor, PartialSum> {
    const sums = new Map(this.#sums);
    this.#sums.clear();
    return sums;
  }

  /** All that is neither taken nor summed. */
  *held(): Generator<TensorRef> {
    for (const grads of this.#grads.values()) yield* grads;
    for (const { parts } of this.#sums.values()) yield parts;
    yield* this.#shared.values();
  }

  /** Removes and returns all other gradients that are left. */
  takeAll(): Map<Tensor, TensorRef> {
    const tensors = [...this.#grads.keys(), ...this.#shared.keys()];
    return new Map([...new Set(tensors)].map((tensor) => [tensor, this.take(tensor)!]));
  }

  #sum(a: TensorRef, b: TensorRef): TensorRef {
    const { seam } = a;
    if (seam === undefined || seam !== b.seam) return addSame(this.capture, a, b);
    // Joined alike, they are added as they lie.
    const flat = ({ seam: _, ...rest }: TensorRef) => reshape(rest, [sizeOf(rest.shape)]);
    return joinedAs(reshape(addSame(this.capture, flat(a), flat(b)), a.shape), seam);
  }
}
