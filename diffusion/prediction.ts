/**
 * What a network says of the images at hand, guided where that is asked for.
 *
 * @module
 */
import type { Graph } from "../autograd/graph.ts";
import type { NetworkInputs } from "../autograd/network_inputs.ts";
import type { Capture } from "../device/capture.ts";
import type { TensorRef } from "../device/tensor.ts";
import { linearCombination } from "../kernels/process/q_sample.ts";
import { type ClassScorer, guidedByClassifier } from "./classifier_guidance.ts";
import { type Guidance, guidedAndNot, guidedDenoiser, type GuidedNetwork } from "./guidance.ts";
import type { Process } from "./process.ts";
import { forcedInput } from "./spectral_forcing.ts";

/** What a prediction depends on. */
export interface PredictionParts extends GuidedNetwork {
  /** Shape of a batch, `[n, h, w, c]`. */
  readonly shape: readonly [number, number, number, number];
  /** What the network was trained for. */
  readonly process: Process;
  /** How images are guided; not at all unless given. */
  readonly guidance?: Guidance | undefined;
  /** A classifier that guides, in place of what is said without a class; none unless given. */
  readonly scorer?: ClassScorer | undefined;
  /** Whether a guided evaluation is one of twice the batch; else two of the batch. True unless given. */
  readonly together?: boolean | undefined;
}

/** A prediction. */
export interface Prediction {
  /** The network's, guided. */
  readonly output: TensorRef;
  /** What CFG++ takes the noise from. */
  readonly unguided?: TensorRef;
}

/**
 * Records it, with the inputs `timesteps`, `places` and `inputScales` where the process scales what the
 * network gets, and `noiseBranch` where networks give two outputs.
 *
 * @param x Noisy images.
 * @param known What is known of them besides.
 */
export function recordPrediction(
  capture: Capture,
  graph: Graph,
  parts: PredictionParts,
  x: TensorRef,
  known: Omit<NetworkInputs, "x" | "level">,
): Prediction {
  const { guidance, scorer, together = true, shape: [samples, , , channels], process } = parts;
  const { schedule, tables, forcing } = process;
  const level = capture.input("timesteps", [samples], schedule.condition ? "f32" : "u32");
  const inputScale = tables.inputScale ? capture.input("inputScales", [samples]) : undefined;
  const noiseBranch = process.noiseBranch ? capture.input("noiseBranch", [samples, 2]) : undefined;
  if (guidance && scorer) {
    if (process.banded || forcing) {
      throw new RangeError(
        "Cannot guide by a classifier: the process must be alike at all frequencies, and the network " +
          "see all of them",
      );
    }
    const inputs = { ...known, level, inputScale, ...noiseBranch && { noiseBranch } };
    return { output: guidedByClassifier(parts, scorer, graph, x, inputs) };
  }
  let given = x;
  if (inputScale) {
    const places = capture.input("places", [samples], "u32");
    given = linearCombination(capture, places, [{ table: inputScale, x }]);
  }
  if (forcing) given = forcedInput(capture, given, capture.input("cutoffs", [samples]), forcing);
  const inputs = { x: graph.constant(given), level, ...known, ...noiseBranch && { noiseBranch } };
  if (!guidance) return { output: parts.denoise(graph, inputs).ref };
  if (guidance.unconditionalNoise) {
    const { guided, unconditional } = guidedAndNot(parts, guidance, { channels }, graph, inputs);
    return { output: guided, unguided: unconditional };
  }
  const guided = guidedDenoiser(parts, guidance, { together, channels });
  return { output: guided(graph, inputs).ref };
}
