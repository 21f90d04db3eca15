/**
 * A normalisation of images `[2, 5, 3, 8]` that is recorded, for tests of what is done to its dispatches.
 *
 * @module
 */
import { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { groupNormForward } from "../../kernels/norm/group_norm.ts";
import { randomValues, testGpu, upload } from "./gpu.ts";

/** A capture with the forward pass, and what the gradient takes. */
export async function recordedNorm() {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "norm");
  const tensor = (shape: readonly number[], seed: number) =>
    upload(gpu, shape, randomValues(shape.reduce((a, b) => a * b, 1), seed));
  const shape = [2, 5, 3, 8];
  const x = tensor(shape, 1), weight = tensor([8], 2), bias = tensor([8], 3);
  const options = { groups: 2, eps: 1e-5, silu: true };
  const { mean, rstd } = groupNormForward(capture, x, weight, bias, options);
  const first = capture.dispatches.length;
  return {
    ...{ capture, saved: { x, weight, bias, mean, rstd }, dy: tensor(shape, 4), options },
    /** Number of the first dispatch behind it. */
    first,
    /** Kernels of the dispatches behind it. */
    names: () => capture.dispatches.slice(first).map(({ kernel }) => kernel.name),
    /** Plans and runs it, and reads what is kept. */
    run: async (kept: TensorRef) => {
      const plan = await capture.plan();
      plan.run();
      const values = await plan.readF32(kept);
      plan.destroy();
      return values;
    },
  };
}
