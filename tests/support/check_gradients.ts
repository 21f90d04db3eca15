/**
 * Holds an op and its gradients to an f64 reference, which is differentiated by central differences.
 *
 * @module
 */
import type { Graph, Tensor } from "../../autograd/graph.ts";
import type { Capture } from "../../device/capture.ts";
import { finiteDifference } from "../reference/finite_difference.ts";
import { assertAllClose } from "./assert.ts";
import { differentiate, type Operand } from "./gradients.ts";
import { testGpu } from "./gpu.ts";
import { canPretend, withSubgroupSize } from "./wide_gpu.ts";

/** What is compared, and how closely. */
export interface GradientCheck {
  readonly operands: readonly Operand[];
  readonly op: (inputs: Tensor[], graph: Graph) => Tensor;
  readonly reference: (inputs: Float64Array[]) => ArrayLike<number>;
  /** Relative to the largest value; 5e-6 unless given. */
  readonly atol?: number;
  /** Subgroup sizes that are pretended; those of a CPU and of a graphics card unless given. */
  readonly sizes?: readonly number[];
}

/** Compares on layouts of a CPU and of a graphics card. */
export async function checkGradients(
  { operands, op, reference, atol = 5e-6, sizes = [8, 32] }: GradientCheck,
) {
  const gpu = await testGpu();
  const possible = sizes.filter((size) => canPretend(gpu, size));
  for (const size of possible.length > 0 ? possible : [gpu.subgroupSize]) {
    const { y, dy, grads } = await differentiate(gpu, operands, (inputs, graph) => {
      Object.assign(graph, { capture: withSubgroupSize(graph.capture as Capture, size) });
      return op(inputs, graph);
    });
    const values = operands.map(({ values }) => Float64Array.from(values));
    const close = (actual: ArrayLike<number>, expected: ArrayLike<number>, name: string) => {
      const scale = Array.from(expected).reduce((most, v) => Math.max(most, Math.abs(v)), 1e-3);
      assertAllClose(actual, expected, { rtol: 0, atol: atol * scale, name: `${name} at ${size}` });
    };
    close(y, reference(values), "y");
    operands.forEach((_, i) =>
      close(grads[i]!, finiteDifference(reference, values, i, dy), `gradient ${i}`)
    );
  }
}
