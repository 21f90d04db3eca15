/**
 * Gaussians by their mean m and the logarithm v of their variance, which counts as -30 below and as 20
 * above these (Kingma and Welling 2014, arXiv 1312.6114, appendix B):
 *
 *     z = m + exp(v / 2) e                     dm = dz,     dv = dz e exp(v / 2) / 2
 *     k = (m^2 + exp(v) - 1 - v) / 2           dm = dk m,   dv = dk (exp(v) - 1) / 2
 *
 * where k is the divergence from the standard normal. Where v is cut off, its gradient is 0.
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { definePointwise, pointwise } from "../shared/pointwise.ts";
import { ACCURATE_EXP } from "./exp.ts";

/** `beyondLine(v)` is exp(v) - 1 - v, of which little is left near 0: its series there. */
const functions = `${ACCURATE_EXP}
fn beyondLine(v: V) -> V {
  let series = v * v * (0.5 + v * (0.166666667 + v * (0.0416666667 + v * (0.00833333333
    + v * (0.00138888889 + v * (0.000198412698 + v * (2.48015873e-5 + v * (2.75573192e-6
    + v * 2.75573192e-7))))))));
  return select(accurateExp(v) - 1.0 - v, series, abs(v) < V(1.0));
}
fn bounded(v: V) -> V { return clamp(v, V(-30.0), V(20.0)); }
fn inside(v: V, d: V) -> V { return select(V(0.0), d, v == bounded(v)); }
`;

const deviation = definePointwise({
  name: "gaussianDeviation",
  inputs: ["v"],
  functions,
  result: "accurateExp(0.5 * bounded(v))",
});
const sample = definePointwise({
  name: "gaussianSample",
  inputs: ["m", "v", "e"],
  functions,
  result: "m + accurateExp(0.5 * bounded(v)) * e",
});
const sampleBackward = definePointwise({
  name: "gaussianSampleBackward",
  inputs: ["v", "e", "dz"],
  functions,
  result: "inside(v, 0.5 * dz * e * accurateExp(0.5 * bounded(v)))",
});
const divergence = definePointwise({
  name: "gaussianDivergence",
  inputs: ["m", "v"],
  functions,
  result: "0.5 * (m * m + beyondLine(bounded(v)))",
});
const divergenceOfMean = definePointwise({
  name: "gaussianDivergenceOfMean",
  inputs: ["m", "dk"],
  result: "dk * m",
});
const divergenceOfVariance = definePointwise({
  name: "gaussianDivergenceOfVariance",
  inputs: ["v", "dk"],
  functions,
  result: "inside(v, 0.5 * dk * (bounded(v) + beyondLine(bounded(v))))",
});

/** A Gaussian of each element. */
export interface Gaussians {
  readonly mean: TensorRef;
  readonly logVariance: TensorRef;
}

/** Standard deviations. */
export function deviationForward(capture: Capture, logVariance: TensorRef): TensorRef {
  return pointwise(capture, deviation, { v: logVariance }, {});
}

/** Draws z for standard normal e. */
export function sampleForward(
  capture: Capture,
  { mean, logVariance }: Gaussians,
  noise: TensorRef,
): TensorRef {
  return pointwise(capture, sample, { m: mean, v: logVariance, e: noise }, {});
}

/** dv; dm is dz itself. */
export function sampleBackwardOfVariance(
  capture: Capture,
  { logVariance }: Gaussians,
  noise: TensorRef,
  dz: TensorRef,
): TensorRef {
  return pointwise(capture, sampleBackward, { v: logVariance, e: noise, dz }, {});
}

/** k of each element. */
export function divergenceForward(
  capture: Capture,
  { mean, logVariance }: Gaussians,
): TensorRef {
  return pointwise(capture, divergence, { m: mean, v: logVariance }, {});
}

/** dm and dv. */
export function divergenceBackward(
  capture: Capture,
  { mean, logVariance }: Gaussians,
  dk: TensorRef,
): { dMean: TensorRef; dLogVariance: TensorRef } {
  return {
    dMean: pointwise(capture, divergenceOfMean, { m: mean, dk }, {}),
    dLogVariance: pointwise(capture, divergenceOfVariance, { v: logVariance, dk }, {}),
  };
}
