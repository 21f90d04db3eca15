/**
 * Recorded runs of solvers on networks that are formulas: the product's moves, taken on the GPU by the
 * update that sampling takes, and followed in f64.
 *
 * @module
 */
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { InputValues } from "../../device/program.ts";
import type { TensorRef } from "../../device/tensor.ts";
import {
  recordUpdate,
  type Room,
  type SampledImages,
  updateValues,
} from "../../diffusion/evaluation.ts";
import { noiseScalars } from "../../diffusion/known_parts.ts";
import type { ProcessOnGpu } from "../../diffusion/level_tables.ts";
import {
  isEvaluation,
  keptRegisters,
  type Move,
  type SamplerStep,
  thresholds,
} from "../../diffusion/moves.ts";
import { makeProcess } from "../../diffusion/process.ts";
import { copyInto } from "../../kernels/elementwise/add.ts";
import { concatForward } from "../../kernels/layout/concat.ts";
import { linearCombination } from "../../kernels/process/q_sample.ts";
import { SAMPLER_SCALARS } from "../../kernels/process/sampler_step.ts";
import { follow } from "./follow.ts";

/** A network's output as a formula: image x + plus + before x0, that of the evaluation before. */
export interface Formula {
  readonly image: number;
  readonly plus: ArrayLike<number>;
  readonly before?: number;
  /** The signal that its input is divided by; 1 unless given. */
  readonly signal?: number;
}

/** A run of one or several samples. */
export interface SolverRun {
  readonly moves: readonly Move[];
  /** `[samples, ...]`, flat. */
  readonly start: ArrayLike<number>;
  readonly samples: number;
  /** What the network is; evaluations count from 0. */
  network(evaluation: number, step: SamplerStep): Formula;
  /** Standard normal noise of a move, of the length of the start. */
  noise?(move: number): ArrayLike<number>;
  /** What the network outputs beside its prediction, where it chooses variances. */
  readonly choice?: ArrayLike<number>;
}

/** A run of a network that is recorded as it is. */
export interface NetworkRun extends Pick<SolverRun, "moves" | "start" | "noise" | "choice"> {
  /** Of the start. */
  readonly shape: readonly [samples: number, height: number, width: number, channels: number];
  /** Records the network's output for the image x; `predicted` is the x0 before. */
  record(capture: Capture, images: SampledImages): TensorRef;
  /** The inputs that are recorded with it; evaluations count from 0. */
  inputs(evaluation: number, step: SamplerStep): InputValues;
}

/** What came of a run: after each move. */
export interface Trace {
  readonly images: readonly ArrayLike<number>[];
  /** The predicted x0; of a move that does not predict, the last one. */
  readonly predicted: readonly ArrayLike<number>[];
  /** What the network was asked about, by evaluation. */
  readonly asked: readonly ArrayLike<number>[];
}

/** Any process: the update of sampling is the same for all. */
function someProcess(gpu: Gpu): ProcessOnGpu {
  return makeProcess({
    ...{ timesteps: 2, schedule: "linear", betaStart: 0.1, betaEnd: 0.2 },
    ...{ target: "epsilon", weighting: "uniform", variance: "fixedlarge", clipX0: false },
  }).onGpu(gpu);
}

/** Takes the moves of a run on the GPU. */
export async function runOnGpu(gpu: Gpu, run: SolverRun): Promise<Trace> {
  const { samples, start } = run;
  return await runNetwork(gpu, {
    ...{ moves: run.moves, start, shape: [samples, 1, 1, start.length / samples] },
    ...run.choice && { choice: run.choice },
    noise: (move) => run.noise?.(move) ?? new Float32Array(start.length),
    record: recordFormula,
    inputs(evaluation, step) {
      const { image, plus, before = 0 } = run.network(evaluation, step);
      return {
        ...{ plus: Float32Array.from(plus), places: new Uint32Array(samples) },
        ...{ image: [image], before: [before], one: [1] },
      };
    },
  });
}

/** The same for any network. */
export async function runNetwork(gpu: Gpu, run: NetworkRun): Promise<Trace> {
  const { moves, start, shape, choice } = run;
  const length = start.length / shape[0];
  const room: Room = { registers: keptRegisters(moves), limited: moves.some(thresholds) };
  const process = someProcess(gpu);
  const make = (label: string, values?: ArrayLike<number>) =>
    gpu.tensor(shape, { label, ...values && { data: Float32Array.from(values) } });
  const x = make("x", start), predicted = make("predicted", new Float32Array(start.length));
  const kept = room.registers > 0
    ? gpu.tensor([room.registers, ...shape], { label: "kept" })
    : null;
  const chosen = choice ? make("choice", choice) : null;
  const capture = new Capture(gpu, "a solver's evaluation");
  const z = capture.input("z", shape);
  const output = run.record(capture, { x, predicted });
  const update = {
    ...{ x, predicted, kept, z },
    output: chosen ? concatForward(capture, output, chosen) : output,
  };
  const choosesVariance = recordUpdate(capture, process, update, room);
  const program = await capture.plan();
  const noising = await planNoising(gpu, process, x);
  const trace: Record<keyof Trace, Float32Array[]> = { images: [], predicted: [], asked: [] };
  const zeros = new Float32Array(start.length);
  for (const [i, move] of moves.entries()) {
    const drawn = Float32Array.from(run.noise?.(i) ?? zeros);
    if (isEvaluation(move)) {
      trace.asked.push(await gpu.readF32(x));
      program.run({
        ...{ z: drawn, ...run.inputs(trace.asked.length - 1, move) },
        ...updateValues(move, room, choosesVariance, length),
      });
    } else noising.run({ z: drawn, scalars: noiseScalars(move.renoise) });
    trace.images.push(await gpu.readF32(x));
    trace.predicted.push(await gpu.readF32(predicted));
  }
  program.destroy();
  noising.destroy();
  process.destroy();
  for (const tensor of [x, predicted, kept, chosen]) if (tensor) gpu.destroyTensor(tensor);
  return trace;
}

/** Records a formula's output, with the inputs `plus`, `image`, `before`, `one` and `places`. */
function recordFormula(capture: Capture, { x, predicted }: SampledImages): TensorRef {
  const [samples = 1] = x.shape;
  return linearCombination(capture, capture.input("places", [samples], "u32"), [
    { table: capture.input("image", [1]), x },
    { table: capture.input("before", [1]), x: predicted },
    { table: capture.input("one", [1]), x: capture.input("plus", x.shape) },
  ]);
}

async function planNoising(gpu: Gpu, process: ProcessOnGpu, x: TensorRef) {
  const capture = new Capture(gpu, "a solver's noise");
  const z = capture.input("z", x.shape), scalars = capture.input("scalars", [SAMPLER_SCALARS]);
  copyInto(capture, x, process.step(capture, { x, f: x, z }, scalars));
  return await capture.plan();
}

/** Follows a run in f64, sample by sample. */
export function runInF64(run: SolverRun): Trace {
  const { moves, samples } = run, length = run.start.length / samples;
  const trace: Record<keyof Trace, Float64Array[]> = { images: [], predicted: [], asked: [] };
  const put = (list: Float64Array[], i: number, at: number, values: ArrayLike<number>) =>
    (list[i] ??= new Float64Array(run.start.length)).set(values, at);
  for (let n = 0; n < samples; n++) {
    const at = n * length;
    const part = (values: ArrayLike<number>) => Float64Array.from(values).subarray(at, at + length);
    let last: ArrayLike<number> = new Float64Array(length);
    follow(moves, part(run.start), {
      network(x, step, evaluation) {
        put(trace.asked, evaluation, at, x);
        const { image, plus, before = 0 } = run.network(evaluation, step);
        const added = part(plus);
        return x.map((value, k) =>
          image * value + added[k]! + (before === 0 ? 0 : before * last[k]!)
        );
      },
      noise: (move) => {
        const z = part(run.noise?.(move) ?? new Float64Array(run.start.length));
        return run.choice ? spread(z, part(run.choice), moves[move]!) : z;
      },
      onMove(move, x, predicted) {
        last = predicted;
        put(trace.images, move, at, x);
        put(trace.predicted, move, at, predicted);
      },
    });
  }
  return trace;
}

/** Noise of the variance that the network chooses. */
function spread(z: Float64Array, choice: Float64Array, move: Move): Float64Array {
  const chosen = isEvaluation(move) ? move.chosenVariance : undefined;
  if (!chosen) return z;
  if (chosen === "own") return z.map((value, k) => value * Math.sqrt(choice[k]!));
  const [least, most] = chosen;
  return z.map((value, k) => value * Math.exp((least + (choice[k]! + 1) / 2 * (most - least)) / 2));
}
