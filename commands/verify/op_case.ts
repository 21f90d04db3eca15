/**
 * What is recorded of an operator's case, and what replays it.
 *
 * @module
 */
import type { Tensor } from "../../autograd/graph.ts";
import type { Layout } from "./layout.ts";

/** An entry of the manifest. */
export interface OpCase {
  readonly case: string;
  readonly op: string;
  readonly attrs: Readonly<Record<string, unknown>>;
  readonly inputs: Readonly<Record<string, readonly number[]>>;
  readonly f32_vs_f64_maxabs_and_scale?: Readonly<Record<string, [number, number]>>;
}

/** How one operator is replayed. */
export interface OpRunner {
  /** Layouts of inputs and of `out`; those not named are as they are. */
  readonly layouts?: (entry: OpCase) => Readonly<Record<string, Layout>>;
  /** Inputs that are split along PyTorch's first axis into `name.0`, `name.1`, ... */
  readonly parts?: Readonly<Record<string, number>>;
  /** Computes the output from the inputs, which are in our layout. */
  readonly run: (inputs: Readonly<Record<string, Tensor>>, entry: OpCase) => Tensor;
}

/** An input by name. */
export function input(inputs: Readonly<Record<string, Tensor>>, name: string): Tensor {
  const tensor = inputs[name];
  if (!tensor) throw new Error(`Cannot verify: input ${name} must be recorded`);
  return tensor;
}
