/**
 * What processes that train together do between a step's gradients and its end: they add the gradients,
 * each stage while the next is computed, and take the mean of running statistics.
 *
 * @module
 */
import type { Dispatch } from "../device/dispatch.ts";
import type { Gpu } from "../device/gpu.ts";
import type { InputValues, Program } from "../device/program.ts";
import type { TensorRef } from "../device/tensor.ts";
import { checkAlike, checksum, type Collective } from "./collective.ts";
import { type GradientStage, gradientStages } from "./gradient_stages.ts";
import { averageStatistics, runningStatistics } from "./running_statistics.ts";
import type { TrainState } from "./state.ts";

/** The part of a step that ranks have together. */
export class SharedStep {
  private constructor(
    private readonly gpu: Gpu,
    private readonly collective: Collective,
    private readonly state: TrainState,
    /** How each program's gradients become final. */
    private readonly stages: readonly (readonly GradientStage[])[],
    private readonly statistics: readonly TensorRef[],
  ) {}

  /**
   * @param recordings Dispatches of the programs that make gradients, one for each size of images.
   * @throws {Error} On all ranks, when their kernels make gradients ready in another order.
   */
  static async create(
    gpu: Gpu,
    collective: Collective,
    state: TrainState,
    recordings: readonly (readonly Dispatch[])[],
  ): Promise<SharedStep> {
    const grads = [...state.grads.tensors.values()];
    const stages = recordings.map((list) => gradientStages(list, grads, collective.stages));
    const statistics = runningStatistics(recordings[0]!, state.weights.tensors.values());
    const numbers = stages.flat().flatMap(({ end, ready }) => [
      end,
      ...ready.flatMap(({ byteOffset, shape }) => [byteOffset, ...shape]),
    ]);
    const sum = checksum(Float32Array.from(numbers));
    await checkAlike(collective, "the order in which gradients are ready", ...sum);
    return new SharedStep(gpu, collective, state, stages, statistics);
  }

  /**
   * Runs the last micro-batch of a step and adds what all ranks have.
   *
   * @param index Number of the program.
   */
  async run(program: Program, index: number, values: InputValues): Promise<void> {
    await this.collective.allReduce(inStages(program, this.stages[index]!, values));
    await this.#average();
  }

  /** Adds what all ranks have, of a step whose gradients are made. */
  async add(): Promise<void> {
    await this.collective.allReduce([this.state.grads.chunks]);
    await this.#average();
  }

  #average(): Promise<void> {
    return averageStatistics(this.gpu, this.collective, this.statistics);
  }
}

/** Submits a program stage by stage; each time, what of its gradients is final. */
function* inStages(
  program: Program,
  stages: readonly GradientStage[],
  values: InputValues,
): Generator<readonly TensorRef[]> {
  const ends = stages.map(({ end }) => end);
  let i = 0;
  for (const _ of program.runInStages(values, ends)) yield stages[i++]!.ready;
}
