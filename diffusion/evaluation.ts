/**
 * An evaluation as a program: the network, one fused update and what is kept, captured once and
 * replayed for every evaluation of any sampler.
 *
 * @module
 */
import { Graph, type ParameterSlot } from "../autograd/graph.ts";
import { conditionInputs } from "../autograd/network_inputs.ts";
import type { Parameter } from "../autograd/parameter.ts";
import { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import type { KernelTime } from "../device/profile.ts";
import type { InputValues, Program } from "../device/program.ts";
import { sizeOf, type TensorRef } from "../device/tensor.ts";
import { copyInto } from "../kernels/elementwise/add.ts";
import { splitLast } from "../kernels/layout/concat.ts";
import {
  noiseOfVariance,
  VARIANCE_SCALARS,
  varianceScalars,
} from "../kernels/process/chosen_variance.ts";
import {
  samplerScalarCount,
  samplerScalars,
  unguidedNoiseScalars,
} from "../kernels/process/sampler_step.ts";
import { LIMIT_SCALARS, limitScalars, sampleLimits } from "../kernels/process/threshold.ts";
import { STREAMS } from "../support/random_streams.ts";
import { scorerValues } from "./classifier_guidance.ts";
import { guidedParameters } from "./guidance.ts";
import { scalarShape, scalarsOfBands } from "./known_parts.ts";
import type { ProcessOnGpu } from "./level_tables.ts";
import type { SamplerStep } from "./moves.ts";
import type { OutputShares } from "./parameterization.ts";
import { type PredictionParts, recordPrediction } from "./prediction.ts";
import { roundHalfToEven } from "./spacing.ts";
import { fourierTransform } from "../kernels/fft/fft2.ts";
import { mulForward } from "../kernels/elementwise/broadcast.ts";
import { CORRECTION_SCALARS, waveletCorrection } from "../kernels/process/wavelet_correction.ts";

/** What a sampler is made of. */
export interface SamplerParts extends PredictionParts {
  /** The network's weights. */
  readonly parameters: ReadonlyMap<Parameter, ParameterSlot>;
  /** Makes images of what is drawn, where that is none. */
  readonly decoder?: SampleDecoder | undefined;
}

/** From what a sampler draws to images. */
export interface SampleDecoder {
  /** Values of an image. */
  readonly length: number;
  /** Decodes a whole batch. */
  decode(drawn: Float32Array<ArrayBuffer>): Promise<Float32Array<ArrayBuffer>>;
  /** Frees its memory. */
  destroy(): void;
}

/** The same with the process on the GPU. */
export interface EvaluationParts extends SamplerParts {
  readonly onGpu: ProcessOnGpu;
  /** Which network of a chain is asked; that of the most noise unless given. */
  readonly stage?: number;
}

/** What an evaluation has room for. */
export interface Room {
  /** Registers of kept images. */
  readonly registers: number;
  /** Whether a step may bound what is predicted by a quantile of it. */
  readonly limited: boolean;
  /** Whether a step may be corrected by bands; false unless given. */
  readonly corrected?: boolean;
  /** Whether the noise of a step may be coloured; false unless given. */
  readonly coloured?: boolean;
}

/** Of the simplest moves. */
const NO_ROOM: Room = { registers: 0, limited: false };

/** Images at hand, each of the shape of a batch. */
export interface SampledImages {
  readonly x: TensorRef;
  /** The clean images that the last evaluation predicted. */
  readonly predicted: TensorRef;
}

/** See the module. */
export class Evaluation {
  /** Which network of a chain the program asks. */
  #stage: number | undefined;

  private constructor(
    private readonly gpu: Gpu,
    private readonly parts: EvaluationParts,
    private readonly images: SampledImages,
    private readonly room: Room,
    private readonly recorded: Omit<RecordedEvaluation, "capture">,
    private program: Program,
    /** Whether what is kept is another evaluation's as well, which frees it. */
    private readonly shares: boolean,
  ) {
    this.#stage = stageOf(parts);
  }

  /**
   * Plans the program.
   *
   * @param other An evaluation of as many registers, for the same images: both keep in one place.
   */
  static async plan(
    gpu: Gpu,
    parts: EvaluationParts,
    images: SampledImages,
    room: Room = NO_ROOM,
    other?: Evaluation,
  ): Promise<Evaluation> {
    const { capture, ...recorded } = Evaluation.record(gpu, parts, images, room, other);
    const program = await capture.plan();
    return new Evaluation(gpu, parts, images, room, recorded, program, other !== undefined);
  }

  /** Writes down what {@linkcode Evaluation.plan} plans, and makes room for what is kept. */
  static record(
    gpu: Gpu,
    parts: EvaluationParts,
    { x, predicted }: SampledImages,
    room: Room = NO_ROOM,
    other?: Evaluation,
  ): RecordedEvaluation {
    const { registers } = room;
    const [samples, ...image] = parts.shape;
    const kept = registers === 0
      ? null
      : other?.recorded.kept ?? gpu.tensor([registers, ...parts.shape], { label: "kept images" });
    const capture = new Capture(gpu, "sampling step");
    const keys = capture.input("keys", [samples, 4], "u32");
    const graph = new Graph(capture, { parameters: guidedParameters(parts) });
    const { output, unguided } = recordPrediction(capture, graph, parts, x, {
      ...conditionInputs(capture, samples, parts.conditioning),
      ...parts.stages && { stage: stageOf(parts) },
      ...parts.conditioning?.selfCondition && { selfCondition: graph.constant(predicted) },
    });
    const white = parts.process.drawNoise(capture, keys, {
      samples,
      shape: image,
      stream: STREAMS.samplerNoise,
    });
    const drawn = room.coloured ? colouredNoise(capture, white) : white;
    const state = { x, predicted, kept, output, unguided, z: drawn };
    const choosesVariance = recordUpdate(capture, parts.onGpu, state, room);
    return { capture, kept, choosesVariance };
  }

  /** What it has room for. */
  get space(): Room {
    return this.room;
  }

  /**
   * Gets ready for a level: of a chain, another network's program takes the place of the one at hand, as
   * all of them at once would take the memory of all.
   *
   * @throws {RangeError} When none of the chain's networks is for the level.
   */
  async enter(level: number): Promise<void> {
    const { stages } = this.parts;
    if (!stages) return;
    const stage = stages.indexOf(level);
    if (stage === this.#stage) return;
    if (stage < 0) throw noStage(level, stages);
    const parts = { ...this.parts, stage };
    const { capture } = Evaluation.record(this.gpu, parts, this.images, this.room, this);
    const program = await capture.plan();
    this.program.destroy();
    [this.program, this.#stage] = [program, stage];
  }

  /** Makes a move with keys `[n, 4]`, and what is known of the images beside their noise. */
  run(step: SamplerStep, keys: Uint32Array, conditions: InputValues): void {
    this.program.run({ ...this.#values(step, keys), ...conditions });
  }

  /** As `run`, with each dispatch measured. */
  async profile(
    step: SamplerStep,
    keys: Uint32Array,
    conditions: InputValues,
  ): Promise<KernelTime[]> {
    const { kernels } = await this.program.profile({ ...this.#values(step, keys), ...conditions });
    return kernels;
  }

  /** Frees the program and what it kept. */
  destroy(): void {
    this.program.destroy();
    if (this.recorded.kept && !this.shares) this.gpu.destroyTensor(this.recorded.kept);
  }

  #values(step: SamplerStep, keys: Uint32Array): InputValues {
    const { shape: [samples, ...image], guidance, scorer, process } = this.parts;
    const { schedule, tables, inputScale, forcing, noiseBranch } = process;
    const { choosesVariance } = this.recorded;
    const told = schedule.condition?.(step.timestep);
    return {
      keys,
      timesteps: told === undefined
        // Between two timesteps the network is asked about the nearer one.
        ? new Uint32Array(samples).fill(roundHalfToEven(step.timestep))
        : new Float32Array(samples).fill(told),
      ...scorer && guidance && scorerValues(step, schedule.at(step.timestep), guidance.scale),
      ...updateValues(step, this.room, choosesVariance, sizeOf(image)),
      ...guidance?.unconditionalNoise && {
        scalars: unguidedNoiseScalars(step, schedule.at(step.previous).signal),
      },
      ...this.room.coloured && { colours: new Float32Array(image[0]! * image[1]!).fill(1) },
      ...tables.inputScale && {
        ...!(scorer && guidance) && { places: Uint32Array.from({ length: samples }, (_, n) => n) },
        inputScales: new Float32Array(samples).fill(inputScale(step.timestep)),
      },
      ...noiseBranch && { noiseBranch: pairs(noiseBranch(step.timestep), samples) },
      ...forcing && {
        cutoffs: new Float32Array(samples).fill(forcing.cutoff(schedule.at(step.timestep))),
      },
    };
  }
}

/** The same shares for each sample, [2 n]. */
function pairs({ xt, output }: OutputShares, samples: number): Float32Array<ArrayBuffer> {
  return Float32Array.from({ length: 2 * samples }, (_, i) => i % 2 === 0 ? xt : output);
}

function stageOf({ stages, stage }: EvaluationParts): number | undefined {
  return stages && (stage ?? stages.length - 1);
}

function noStage(level: number, stages: readonly number[]): RangeError {
  return new RangeError(
    `Cannot ask the chain about timestep ${level}: it must be one of its networks', ` +
      `${stages.slice(0, 3).join(", ")}, ... ${
        stages.at(-1)
      }; sampler ddim with spacing truncated ` +
      `and ${stages.length} steps visits them`,
  );
}

/** An evaluation that is written down. */
export interface RecordedEvaluation {
  readonly capture: Capture;
  readonly kept: TensorRef | null;
  /** Whether the network outputs the choice of a variance beside its prediction. */
  readonly choosesVariance: boolean;
}

/** What an update goes by, all of the shape of the images but where the network chooses a variance. */
export interface UpdateTensors extends SampledImages {
  readonly kept: TensorRef | null;
  /** The network's. */
  readonly output: TensorRef;
  /** The network's without a class, where a step takes its noise from that. */
  readonly unguided?: TensorRef | undefined;
  /** Standard normal noise. */
  readonly z: TensorRef;
}

/**
 * Records what a step makes of the network's output, with the inputs of {@linkcode updateValues}.
 *
 * @returns Whether the output holds the choice of a variance.
 */
export function recordUpdate(
  capture: Capture,
  process: ProcessOnGpu,
  { x, predicted, kept, output, unguided, z: drawn }: UpdateTensors,
  { registers, limited, corrected }: Room,
): boolean {
  const count = samplerScalarCount(registers) + (unguided ? 1 : 0);
  const scalars = capture.input("scalars", scalarShape(process, count));
  const { f, z, choosesVariance } = noiseAndOutput(capture, output, drawn);
  const limits = limited
    ? sampleLimits(capture, x, f, capture.input("limitScalars", [LIMIT_SCALARS]))
    : null;
  const plain = unguided && { unguided: predictionOf(capture, unguided, drawn) };
  const tensors = { x, f, z, predicted, ...kept && { kept }, ...limits && { limits }, ...plain };
  const next = process.step(capture, tensors, scalars);
  copyInto(
    capture,
    x,
    corrected
      ? waveletCorrection(
        capture,
        next,
        predicted,
        capture.input("correction", [CORRECTION_SCALARS]),
      )
      : next,
  );
  return choosesVariance;
}

/**
 * The inputs of a recorded update.
 *
 * @param length Values an image.
 * @throws {RangeError} When the step wants a variance that the network does not choose.
 */
export function updateValues(
  step: SamplerStep,
  { registers, limited, corrected }: Room,
  choosesVariance: boolean,
  length: number,
): InputValues {
  if (step.chosenVariance && !choosesVariance) {
    throw new RangeError(
      "Cannot sample with a variance that the network chooses: the network must output it, " +
        "this one outputs as many channels as its images have",
    );
  }
  return {
    scalars: scalarsOfBands(step.bands ?? [step], (own) => samplerScalars(own, registers)),
    ...limited && { limitScalars: limitScalars(step, length) },
    ...corrected && {
      correction: Float32Array.of(step.correction?.low ?? 0, step.correction?.high ?? 0),
    },
    ...choosesVariance && { varianceScalars: varianceScalars(step.chosenVariance) },
  };
}

/** Noise whose transform is multiplied by the input `colours`, `[h, w]`. */
function colouredNoise(capture: Capture, white: TensorRef): TensorRef {
  const [, height = 0, width = 0] = white.shape;
  const factors = capture.input("colours", [1, height, width, 1, 1]);
  const z = fourierTransform(capture, white, { inverse: false, scale: 1 });
  return fourierTransform(capture, mulForward(capture, z, factors), {
    ...{ inverse: true, scale: 1 / (height * width), realOutput: true },
  });
}

/** The prediction, and the noise with the variance that a network of twice the channels chooses. */
function noiseAndOutput(capture: Capture, output: TensorRef, z: TensorRef) {
  const channels = z.shape.at(-1)!;
  if (output.shape.at(-1) !== 2 * channels) return { f: output, z, choosesVariance: false };
  const { a, b } = splitLast(capture, output, channels, { a: {}, b: {} });
  const scalars = capture.input("varianceScalars", [VARIANCE_SCALARS]);
  return { f: a!, z: noiseOfVariance(capture, z, b!, scalars), choosesVariance: true };
}

/** The prediction alone, of a network that may choose a variance beside it. */
function predictionOf(capture: Capture, output: TensorRef, { shape }: TensorRef): TensorRef {
  const channels = shape.at(-1)!;
  if (output.shape.at(-1) === channels) return output;
  return splitLast(capture, output, channels, { a: {}, b: null }).a!;
}
