/**
 * An evaluation as a program: the network, one fused update and what is kept, captured once and
 * replayed for every evaluation of any sampler.
 *
 * @module
 */
import { Graph, type ParameterSlot } from "../autograd/graph.ts";
import { conditionInputs, type NetworkInputs } from "../autograd/network_inputs.ts";
import type { Parameter } from "../autograd/parameter.ts";
import { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import type { KernelTime } from "../device/profile.ts";
import type { InputValues, Program } from "../device/program.ts";
import type { TensorRef } from "../device/tensor.ts";
import { copyInto } from "../kernels/elementwise/add.ts";
import { linearCombination } from "../kernels/process/q_sample.ts";
import {
  samplerScalarCount,
  samplerScalars,
  samplerStep,
} from "../kernels/process/sampler_step.ts";
import { STREAMS } from "../support/random_streams.ts";
import type { Asked, Denoiser } from "./denoiser.ts";
import { type Guidance, guidedDenoiser } from "./guidance.ts";
import type { SamplerStep } from "./moves.ts";
import type { Process } from "./process.ts";

/** What a sampler is made of. */
export interface SamplerParts extends Asked {
  /** Shape of a batch, `[n, h, w, c]`. */
  readonly shape: readonly [number, number, number, number];
  /** The network's weights. */
  readonly parameters: ReadonlyMap<Parameter, ParameterSlot>;
  /** What the network was trained for. */
  readonly process: Process;
  /** How images are guided; not at all unless given. */
  readonly guidance?: Guidance | undefined;
  /** Whether a guided evaluation is one of twice the batch; else two of the batch. True unless given. */
  readonly together?: boolean | undefined;
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

/** Images at hand, each of the shape of a batch. */
export interface SampledImages {
  readonly x: TensorRef;
  /** The clean images that the last evaluation predicted. */
  readonly predicted: TensorRef;
}

/** See the module. */
export class Evaluation {
  private constructor(
    private readonly gpu: Gpu,
    private readonly parts: SamplerParts,
    /** Registers of kept images. */
    readonly registers: number,
    private readonly kept: TensorRef | null,
    private readonly program: Program,
    /** Whether what is kept is another evaluation's as well, which frees it. */
    private readonly shares: boolean,
  ) {}

  /**
   * Plans the program.
   *
   * @param other An evaluation of as many registers, for the same images: both keep in one place.
   */
  static async plan(
    gpu: Gpu,
    parts: SamplerParts,
    images: SampledImages,
    registers: number,
    other?: Evaluation,
  ): Promise<Evaluation> {
    const { capture, kept } = Evaluation.record(gpu, parts, images, registers, other);
    const program = await capture.plan();
    return new Evaluation(gpu, parts, registers, kept, program, other !== undefined);
  }

  /** Writes down what {@linkcode Evaluation.plan} plans, and makes room for what is kept. */
  static record(
    gpu: Gpu,
    parts: SamplerParts,
    { x, predicted }: SampledImages,
    registers: number,
    other?: Evaluation,
  ): { readonly capture: Capture; readonly kept: TensorRef | null } {
    const [samples, ...image] = parts.shape;
    const kept = registers === 0
      ? null
      : other?.kept ?? gpu.tensor([registers, ...parts.shape], { label: "kept images" });
    const capture = new Capture(gpu, "sampling step");
    const keys = capture.input("keys", [samples, 4], "u32");
    const inputs = recordInputs(capture, parts, x);
    const scalars = capture.input("scalars", [samplerScalarCount(registers)]);
    const graph = new Graph(capture, { parameters: parts.parameters });
    const conditions = conditionInputs(capture, samples, parts.conditioning);
    const f = denoiserFor(parts)(graph, {
      ...inputs(graph),
      ...conditions,
      ...parts.conditioning?.selfCondition && { selfCondition: graph.constant(predicted) },
    }).ref;
    const z = parts.process.drawNoise(capture, keys, {
      samples,
      shape: image,
      stream: STREAMS.samplerNoise,
    });
    const tensors = { x, f, z, predicted, ...kept && { kept } };
    copyInto(capture, x, samplerStep(capture, tensors, scalars));
    return { capture, kept };
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
    if (this.kept && !this.shares) this.gpu.destroyTensor(this.kept);
  }

  #values(step: SamplerStep, keys: Uint32Array): InputValues {
    const { shape: [samples], process: { schedule, tables, inputScale } } = this.parts;
    const told = schedule.condition?.(step.timestep);
    return {
      keys,
      timesteps: told === undefined
        ? new Uint32Array(samples).fill(step.timestep)
        : new Float32Array(samples).fill(told),
      scalars: samplerScalars(step, this.registers),
      ...tables.inputScale && {
        places: Uint32Array.from({ length: samples }, (_, n) => n),
        inputScales: new Float32Array(samples).fill(inputScale(step.timestep)),
      },
    };
  }
}

/** What predicts: the network, guided where guidance is asked for. */
function denoiserFor(parts: SamplerParts): Denoiser {
  const { guidance, together = true, shape } = parts;
  if (!guidance) return parts.denoise;
  return guidedDenoiser(parts, guidance, { together, channels: shape[3] });
}

/** What the network is given: the image as the process scales it, and what it is told of the level. */
function recordInputs(
  capture: Capture,
  { shape: [samples], process: { schedule, tables } }: SamplerParts,
  x: TensorRef,
): (graph: Graph) => NetworkInputs {
  const level = capture.input("timesteps", [samples], schedule.condition ? "f32" : "u32");
  if (!tables.inputScale) return (graph) => ({ x: graph.constant(x), level });
  const table = capture.input("inputScales", [samples]);
  const scaled = linearCombination(capture, capture.input("places", [samples], "u32"), [
    { table, x },
  ]);
  return (graph) => ({ x: graph.constant(scaled), level });
}
