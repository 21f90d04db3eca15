/**
 * Runs a differentiable function once, forward and backward, and reads everything.
 *
 * @module
 */
import { Graph, type Recompute, type Tensor } from "../../autograd/graph.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { DType } from "../../device/element.ts";
import { sizeOf, type TensorRef, toHostArray } from "../../device/tensor.ts";
import { randomValues, upload } from "./gpu.ts";

/** An operand: a shape and its values. */
export interface Operand {
  readonly shape: readonly number[];
  readonly values: ArrayLike<number>;
  /** What it is stored as; f32 unless given. */
  readonly dtype?: DType;
}

/** A random operand of halves: of values that f16 can say. */
export function halves(shape: readonly number[], seed = 1, scale = 1): Operand {
  const values = Float32Array.from(Float16Array.from(randomValues(sizeOf(shape), seed, scale)));
  return { shape, values, dtype: "f16" };
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
  const inputs = operands.map(({ shape, values, dtype }) =>
    graph.variable(upload(gpu, shape, values, dtype))
  );
  const y = fn(inputs, graph);
  const { dtype } = y.ref;
  const dy = Float32Array.from(toHostArray(dtype, randomValues(sizeOf(y.shape), 77)));
  const grads = graph.backward(y, upload(gpu, y.shape, dy, dtype));
  const refs = inputs.map((input) => grads.get(input)!);
  for (const ref of [y.ref, ...refs]) capture.keep(ref);
  const program = await capture.plan();
  program.run();
  const result: Differentiated = {
    shape: y.shape,
    y: Float32Array.from(await program.read(y.ref)),
    dy,
    grads: [],
  };
  for (const ref of refs) result.grads.push(Float32Array.from(await program.read(ref)));
  program.destroy();
  return result;
}
