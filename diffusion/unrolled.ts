/**
 * The objective of a chain of networks, one a noise level, trained from the noise to the image at once
 * (zjuyzj/pytorch-ddpm). With levels A_0 > ... > A_{S-1} of the networks f_i, A_{-1} = 1, and one noise
 * e an image, network i takes the image that network i + 1 has made and outputs the noise in it:
 *
 *     y_i = sqrt(A_{i-1} / A_i) x_i + c_i f_i(y_{i+1}),   y_S = x_{S-1}
 *     c_i = sqrt(1 - A_{i-1}) - sqrt(A_{i-1} (1 - A_i) / A_i)
 *     L = sum_i (factor / A_i) mean of (y_i - x_{i-1})^2
 *
 * This is DDIM's step without noise, but for x_i: the true noisy image, where a sampler has y_{i+1}
 * (teacher forcing). As x_i and x_{i-1} share e, y_i - x_{i-1} is c_i (f_i - e), which is what is
 * computed here: the same number without the cancellation.
 *
 * @module
 */
import type { Graph, Tensor } from "../autograd/graph.ts";
import { add } from "../autograd/ops/add.ts";
import { combine } from "../autograd/ops/combine.ts";
import { meanLoss } from "../autograd/ops/losses.ts";
import { scale } from "../autograd/ops/scale.ts";
import type { Gpu } from "../device/gpu.ts";
import type { TensorRef } from "../device/tensor.ts";
import { type Denoiser, denoiserOf, type Forward } from "./denoiser.ts";
import type { ProcessOnGpu } from "./level_tables.ts";
import { noiseOptions } from "./noises/registry.ts";
import type { ObjectiveInputs, ObjectiveTensors, TrainingObjective } from "./objective.ts";
import type { DiffusionOptions } from "./options.ts";
import type { Process } from "./process.ts";
import type { Schedule } from "./schedule.ts";
import { trainingNoise } from "./training_noise.ts";

/** What a network of the chain is given and how it counts. */
export interface Stage {
  /** Shares of the clean image, of the noise and of the output in what the next network gets. */
  readonly next: Readonly<Record<"x0" | "noise" | "output", number>>;
  /** Factor of its mean square error in the noise. */
  readonly weight: number;
}

/**
 * The networks' shares and weights, that of the least noise first.
 *
 * @param timesteps Of the networks, ascending.
 * @param factor Of all losses.
 */
export function stagesOf(
  { levels }: Pick<Schedule, "levels">,
  timesteps: readonly number[],
  factor: number,
): Stage[] {
  return timesteps.map((timestep, i) => {
    const here = levels[timestep]!;
    const there = i === 0 ? { signal: 1, noise: 0 } : levels[timesteps[i - 1]!]!;
    const kept = there.signal / here.signal, output = there.noise - kept * here.noise;
    return {
      next: { x0: there.signal, noise: kept * here.noise, output },
      weight: factor * output ** 2 / here.signalPower,
    };
  });
}

/** See the module. */
export class UnrolledObjective implements TrainingObjective {
  readonly state: ReadonlyMap<string, TensorRef> = new Map();
  readonly #onGpu: ProcessOnGpu;
  readonly #stages: readonly Stage[];
  /** The level of the noisiest network, and row 0 of the tables, a sample, by the number of samples. */
  readonly #rows = new Map<number, Record<"first" | "zero", TensorRef>>();

  /** @param timesteps Of the networks, ascending. */
  constructor(
    private readonly gpu: Gpu,
    private readonly process: Process,
    private readonly options: DiffusionOptions,
    private readonly timesteps: readonly number[],
  ) {
    this.#onGpu = process.onGpu(gpu);
    this.#stages = stagesOf(process.schedule, timesteps, options.layerLossFactor);
  }

  /** A network as the objective asks it. */
  denoiserOf(network: Forward): Denoiser {
    return denoiserOf(network);
  }

  /**
   * Records the objective of a batch. What it tells of timesteps, predictions and targets is that of the
   * noisiest network, where the chain begins.
   */
  record(graph: Graph, inputs: ObjectiveInputs): ObjectiveTensors {
    const { x0, denoise, perSample = false, plain = false, conditioning: _, ...known } = inputs;
    const { capture, random } = graph;
    const drawn = plain ? noiseOptions() : this.options.noise;
    const { noise, mixed } = trainingNoise(capture, random, x0, this.process.drawNoise, drawn);
    const { first, zero } = this.#rowsOf(x0.shape[0] ?? 0);
    const share = (value: number) => this.#onGpu.upload(Float64Array.of(value));
    const [clean, wanted, mixedIn] = [x0, noise, mixed].map((ref) => graph.constant(ref));
    const xt = this.#onGpu.noised(capture, x0, mixed, first);
    let x = graph.constant(xt), loss: Tensor | null = null, prediction: Tensor | null = null;
    for (let stage = this.#stages.length - 1; stage >= 0; stage--) {
      const { next, weight } = this.#stages[stage]!;
      const output = denoise(graph, { x, level: first, stage, ...known });
      const own = scale(meanLoss(output, wanted!, { kind: "mse", perSample }), weight);
      loss = loss ? add(loss, own) : own;
      prediction ??= output;
      if (stage > 0) {
        x = combine(zero, [
          { table: share(next.x0), x: clean! },
          { table: share(next.noise), x: mixedIn! },
          { table: share(next.output), x: output },
        ]);
      }
    }
    return { timesteps: first, noise, xt, target: noise, prediction: prediction!, loss: loss! };
  }

  #rowsOf(samples: number): Record<"first" | "zero", TensorRef> {
    let rows = this.#rows.get(samples);
    if (!rows) {
      const filled = (value: number) =>
        this.gpu.tensor([samples], {
          ...{ dtype: "u32", label: "stage rows" },
          data: new Uint32Array(samples).fill(value),
        });
      rows = { first: filled(this.timesteps.at(-1)!), zero: filled(0) };
      this.#rows.set(samples, rows);
    }
    return rows;
  }

  /** Frees the tables. */
  destroy(): void {
    for (const { first, zero } of this.#rows.values()) {
      this.gpu.destroyTensor(first);
      this.gpu.destroyTensor(zero);
    }
    this.#onGpu.destroy();
  }
}
