/**
 * One update of a sampler on given tensors.
 *
 * @module
 */
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { SamplerStep } from "../../diffusion/moves.ts";
import { SAMPLER_SCALARS, samplerStep } from "../../kernels/process/sampler_step.ts";

/** One update of the sampler kernel on given tensors; coefficients are inputs. */
export async function updateProgram(gpu: Gpu, shape: readonly number[]) {
  const capture = new Capture(gpu, "sampler update");
  const x = capture.input("x", shape), f = capture.input("f", shape);
  const z = capture.input("z", shape);
  const out = capture.keep(
    samplerStep(capture, { x, f, z }, capture.input("scalars", [SAMPLER_SCALARS])),
  );
  return { program: await capture.plan(), out };
}

/** The same step stopped at the predicted x0. */
export const x0Only = (step: SamplerStep): SamplerStep => ({
  ...step,
  fromX0: 1,
  fromX: 0,
  fromF: 0,
  noise: 0,
});

/** What the recorded code does unless a case says otherwise. */
export const RECORDED = {
  target: "epsilon",
  weighting: "uniform",
  variance: "fixedlarge",
  clipX0: false,
} as const;
