import {
  amplitudePhaseBackward,
  amplitudePhaseForward,
} from "../../kernels/fft/amplitude_phase.ts";
import type { Tensor } from "../tensor.ts";

/**
 * `||z| - |y|| (1 + |arg z - arg y|)` of complex numbers, `[..., 2]` to `[...]`; its gradient at z = 0
 * is 0, and `y` gets none.
 *
 * @throws {RangeError} When shapes differ or the last axis is not 2.
 */
export function amplitudePhase(z: Tensor, y: Tensor): Tensor {
  const { capture } = z.graph;
  return z.graph.record({
    op: "amplitudePhase",
    inputs: [z],
    output: amplitudePhaseForward(capture, z.ref, y.ref),
    backward: (dy) => [amplitudePhaseBackward(capture, z.ref, y.ref, dy)],
  });
}
