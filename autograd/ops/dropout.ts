import { dropoutForward, type DropoutOptions } from "../../kernels/elementwise/dropout.ts";
import type { Tape, Tensor } from "../tensor.ts";

/**
 * Dropout of `x` `[N, ...]`: each call draws from a stream of its own. The identity where the graph
 * does not train, or `p` is 0.
 *
 * @param p Probability of dropping an element, in [0, 1).
 * @throws {RangeError} When `p` is outside [0, 1).
 * @throws {TypeError} When the graph trains and has no random key.
 */
export function dropout(x: Tensor, p: number): Tensor {
  const { graph } = x;
  const options = dropoutOf(graph, p);
  if (!options) return x;
  const { capture, random } = graph;
  return graph.record({
    op: "dropout",
    inputs: [x],
    output: dropoutForward(capture, x.ref, random, options),
    recompute: () => dropoutForward(capture, x.saved(), random, options),
    backward: (dy) => [dropoutForward(capture, dy, random, options)],
  });
}

/**
 * The dropout at the next place of a graph; undefined where it is the identity.
 *
 * @throws {RangeError} When `p` is outside [0, 1).
 */
export function dropoutOf(graph: Tape, p: number): DropoutOptions | undefined {
  if (!(p >= 0 && p < 1)) {
    throw new RangeError(`Cannot drop out: p must lie in [0, 1), got ${p}`);
  }
  // Taken even for p = 0, so that a probability does not move the streams of later dropouts.
  const stream = graph.nextStream();
  return graph.training && p > 0 ? { p, stream } : undefined;
}
