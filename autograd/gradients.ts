/**
 * Gradients on their way: from the rules that contribute to them to the rule of the op that made the
 * tensor, or out of the graph.
 *
 * @module
 */
import type { Capture } from "../device/capture.ts";
import { formatShape, reshape, sizeOf, type Storage, type TensorRef } from "../device/tensor.ts";
import { addSame } from "../kernels/elementwise/add.ts";
import { fillZero } from "../kernels/layout/fill.ts";
import type { Tensor } from "./graph.ts";
import type { InputGrads, OpRecord } from "./rule.ts";
import { isWhole } from "./whole.ts";

/** The gradients of one backward pass. */
export class Gradients {
  /** One contribution or two; where a third comes, the first two are added. */
  readonly #grads = new Map<Tensor, readonly TensorRef[]>();
  /** Those that rules add to, see {@linkcode GradientFlow.shared}. */
  readonly #shared = new Map<Tensor, TensorRef>();
  /** Storages of gradients that no one else holds. */
  readonly #own = new WeakSet<Storage>();

  constructor(private readonly capture: Capture) {}

  /**
   * Adds a contribution to a tensor's gradient.
   *
   * @param op Who made it, for the error.
   * @throws {RangeError} When it has another size than the tensor.
   */
  add(op: string, tensor: Tensor, grad: TensorRef): void {
    if (sizeOf(grad.shape) !== sizeOf(tensor.shape)) {
      throw new RangeError(
        `Cannot differentiate ${op}: the gradient must have its input's shape ${
          formatShape(tensor.shape)
        }, got ${formatShape(grad.shape)}`,
      );
    }
    const [first, second] = this.#grads.get(tensor) ?? [];
    const before = second ? [this.#sum(first!, second)] : first ? [first] : [];
    this.#grads.set(tensor, [...before, reshape(grad, tensor.shape)]);
  }

  /**
   * Adds what a rule has made of its inputs' gradients.
   *
   * @param first Number of dispatches before it did; what these did not write, others may hold.
   */
  addOf({ op, inputs }: OpRecord, grads: InputGrads, first: number): void {
    const made = new Set(
      this.capture.dispatches.slice(first).flatMap(({ bindings }) =>
        bindings.flatMap(({ tensor, access }) => access === "write" ? [tensor.storage] : [])
      ),
    );
    inputs.forEach((input, i) => {
      const grad = grads[i];
      if (!grad || !input.needsGrad) return;
      const once = grads.filter((other) => other?.storage === grad.storage).length === 1;
      if (once && isWhole(grad) && made.has(grad.storage)) this.#own.add(grad.storage);
      else this.#own.delete(grad.storage);
      this.add(op, input, grad);
    });
  }

  /** Whether a gradient that has been taken may be overwritten: no rule and no tensor has it too. */
  isOwn(grad: TensorRef): boolean {
    return this.#own.has(grad.storage);
  }

  /** See {@linkcode GradientFlow.absorb}. */
  absorb(record: OpRecord, i: number): TensorRef | undefined {
    const [first, second] = this.absorbParts(record, i);
    return first && second ? this.#sum(first, second) : first;
  }

  /** See {@linkcode GradientFlow.absorbParts}. */
  absorbParts({ inputs }: OpRecord, i: number): readonly TensorRef[] {
    const input = inputs[i];
    // A tensor that is several inputs of one op has several contributions to come.
    if (!input || inputs.filter((other) => other === input).length > 1) return [];
    const before = this.#grads.get(input) ?? [];
    this.#grads.delete(input);
    return before;
  }

  /** See {@linkcode GradientFlow.shared}. */
  shared(tensor: Tensor): TensorRef {
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
    return first && rest.reduce((sum, part) => this.#sum(sum, part), first);
  }

  /** Removes and returns all that is left. */
  takeAll(): Map<Tensor, TensorRef> {
    const tensors = [...this.#grads.keys(), ...this.#shared.keys()];
    return new Map([...new Set(tensors)].map((tensor) => [tensor, this.take(tensor)!]));
  }

  #sum(a: TensorRef, b: TensorRef): TensorRef {
    const sum = addSame(this.capture, a, b);
    this.#own.add(sum.storage);
    return sum;
  }
}
