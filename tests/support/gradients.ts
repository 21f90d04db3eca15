/**
 * Runs a differentiable function once, forward and backward, and reads everything.
 *
 * @module
 */
import { Graph, type Recompute, type Tensor } from "../../autograd/graph.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import { sizeOf, type TensorRef } from "../../device/tensor.ts";
import { randomValues, upload } from "./gpu.ts";

/** An operand: a shape and its values. */
export interface Operand {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
}

/** A random operand. */
export function operand(shape: readonly number[], seed = 1, scale = 1): Operand {
  return { shape, values: randomValues(sizeOf(shape), seed, scale) };
}

/** What {@linkcode differentiate} read. */
export interface Differentiated {
  readonly shape: readonly number[];
  readonly y: Float32Array;
  /** The upstream gradient that was used. */
  readonly dy: Float32Array;
  /** Gradients of the operands, in order. */
  readonly grads: Float32Array[];
}

/** Runs `fn` over variables with the operands' values and differentiates sum(dy y), dy random. */
export async function differentiate(
  gpu: Gpu,
  operands: readonly Operand[],
  fn: (inputs: Tensor[], graph: Graph) => Tensor,
  options: { training?: boolean; random?: TensorRef; recompute?: Recompute } = {},
): Promise<Differentiated> {
  const capture = new Capture(gpu, "test");
  const graph = new Graph(capture, options);
  const inputs = operands.map(({ shape, values }) => graph.variable(upload(gpu, shape, values)));
  const y = fn(inputs, graph);
  const dy = randomValues(sizeOf(y.shape), 77);
  const grads = graph.backward(y, upload(gpu, y.shape, dy));
  const refs = inputs.map((input) => grads.get(input)!);
  for (const ref of [y.ref, ...refs]) capture.keep(ref);
  const program = await capture.plan();
  program.run();
  const result: Differentiated = {
    shape: y.shape,
    y: await program.readF32(y.ref),
    dy,
    grads: [],
  };
  for (const ref of refs) result.grads.push(await program.readF32(ref));
  program.destroy();
  return result;
}
