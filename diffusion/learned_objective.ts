/**
 * The training objective where the noise schedule is learned with the network (Kingma et al. 2021, arXiv
 * 2107.00630; as lucidrains' `ContinuousTimeGaussianDiffusion` has it), at a time t and with l(t) of
 * model/log_snr.ts:
 *
 *     x = signal x_0 + noise e,   signal^2 = sigmoid(l),  noise^2 = sigmoid(-l)
 *     L = mean of weight(l) loss(f(x, l), target(l))
 *
 * The gradient reaches the schedule by all of it: by the noisy image, by the level that the network is
 * told, by the target v and by weight min-snr. That is lucidrains' way; the paper's own loss does not depend
 * on the shape of the schedule, which there learns to make the loss's variance least.
 *
 * @module
 */
import type { Graph, Tensor } from "../autograd/graph.ts";
import { add } from "../autograd/ops/add.ts";
import { clip } from "../autograd/ops/clip.ts";
import { exp } from "../autograd/ops/exp.ts";
import { meanLoss } from "../autograd/ops/losses.ts";
import { mul } from "../autograd/ops/mul.ts";
import { mean } from "../autograd/ops/reduce.ts";
import { reshape } from "../autograd/ops/reshape.ts";
import { rootLogistic } from "../autograd/ops/root_logistic.ts";
import { scale } from "../autograd/ops/scale.ts";
import type { Gpu } from "../device/gpu.ts";
import type { TensorRef } from "../device/tensor.ts";
import { scaleForward } from "../kernels/elementwise/scale.ts";
import { type Denoiser, denoiserOf, type Forward } from "./denoiser.ts";
import { LEARNED_TARGETS } from "./learned_rules.ts";
import type { ProcessOnGpu } from "./level_tables.ts";
import { noiseOptions } from "./noises/registry.ts";
import type {
  JudgedInputs,
  ObjectiveInputs,
  ObjectiveTensors,
  TrainingObjective,
} from "./objective.ts";
import { type DiffusionOptions, NORM_HUBER } from "./options.ts";
import type { Process } from "./process.ts";
import { uniformTimesteps } from "./timesteps/uniform.ts";
import { trainingNoise } from "./training_noise.ts";

/** The network of a schedule. */
export interface LevelNetwork {
  /** Log SNRs `[N]` of times `[N]` from 0 to 1. */
  forward(graph: Graph, times: TensorRef): Tensor;
}

/** What a level consists of, for each image of a batch. */
interface BatchLevels {
  /** `[N]` */
  readonly logSnr: Tensor;
  /** `[N, 1, 1, 1]`, as the others. */
  readonly signal: Tensor;
  readonly noise: Tensor;
}

/** See the module. */
export class LearnedObjective implements TrainingObjective {
  readonly state: ReadonlyMap<string, TensorRef> = new Map();
  readonly #onGpu: ProcessOnGpu;

  /** @throws {RangeError} When the options do not go with a learned schedule. */
  constructor(
    gpu: Gpu,
    private readonly process: Process,
    private readonly options: DiffusionOptions,
    private readonly levels: LevelNetwork,
  ) {
    if (!LEARNED_TARGETS.some((name) => name === options.target)) {
      throw new RangeError(
        `Cannot learn the noise schedule: diffusion.target must be one of ${
          LEARNED_TARGETS.join(", ")
        }, got ${options.target}`,
      );
    }
    this.#onGpu = process.onGpu(gpu);
  }

  /** See {@linkcode TrainingObjective.denoiserOf}. */
  denoiserOf(network: Forward): Denoiser {
    return denoiserOf(network);
  }

  /** Records the objective of a batch; see {@linkcode TrainingObjective.record}. */
  record(graph: Graph, inputs: ObjectiveInputs): ObjectiveTensors {
    const { x0, plain = false } = inputs, { capture, random } = graph;
    const { timesteps } = uniformTimesteps(this.process.schedule.timesteps)
      .draw(graph, x0.shape[0] ?? 0);
    const kind = plain ? noiseOptions() : this.options.noise;
    const drawn = trainingNoise(capture, random, x0, this.process.drawNoise, kind);
    return this.judge(graph, { ...inputs, ...drawn, timesteps });
  }

  /** Records the objective of a batch with given timesteps and noise. */
  judge(
    graph: Graph,
    inputs: Pick<JudgedInputs, "timesteps" | "noise" | "mixed"> & ObjectiveInputs,
  ): ObjectiveTensors {
    const { x0, denoise, perSample = false, plain = false, timesteps, noise, ...rest } = inputs;
    const { mixed = noise, conditioning, ...conditions } = rest;
    if (conditioning?.selfCondition) {
      throw new RangeError(
        "Cannot learn the noise schedule with self-conditioning: model.selfCondition must be false",
      );
    }
    const { target: name, loss: kind, lossScale: turn } = this.options;
    if (kind === NORM_HUBER) {
      throw new RangeError(
        `Cannot learn the noise schedule with loss ${kind}: diffusion.loss must be another`,
      );
    }
    const times = this.#onGpu.gather(graph.capture, timesteps, this.process.schedule.values);
    const levels = levelsAt(this.levels.forward(graph, times), x0.shape.length);
    const x = mixture(levels, x0, mixed);
    const prediction = denoise(graph, { x, level: levels.logSnr, ...conditions });
    const wanted = targetOf(name, levels, x0, noise);
    const weight = plain ? null : this.#weight(levels);
    let loss = meanLoss(prediction, wanted, {
      kind,
      turn,
      perSample: perSample || weight !== null,
    });
    if (weight) {
      loss = mul(loss, weight);
      if (!perSample) loss = mean(loss);
    }
    return { timesteps, noise, xt: x.ref, target: wanted.ref, prediction, loss };
  }

  /** min(SNR, gamma) times the loss in the clean image, `[N]`; null where losses are as they are. */
  #weight({ logSnr, noise }: BatchLevels): Tensor | null {
    const { target, weighting, weightingOptions: { snrGamma } } = this.options;
    if (weighting === "uniform") return null;
    const snr = exp(logSnr), limited = snrGamma === null ? snr : clip(snr, snrGamma);
    if (target === "x0") return limited;
    if (target === "epsilon") return mul(limited, exp(scale(logSnr, -1)));
    return mul(limited, reshape(mul(noise, noise), logSnr.shape));
  }

  /** Frees the tables. */
  destroy(): void {
    this.#onGpu.destroy();
  }
}

/** @param rank Axes of the images. */
function levelsAt(logSnr: Tensor, rank: number): BatchLevels {
  const [n = 0] = logSnr.shape, shape = [n, ...new Array<number>(rank - 1).fill(1)];
  return {
    logSnr,
    signal: reshape(rootLogistic(logSnr), shape),
    noise: reshape(rootLogistic(scale(logSnr, -1)), shape),
  };
}

/** signal a + noise b. */
function mixture({ logSnr: { graph }, signal, noise }: BatchLevels, a: TensorRef, b: TensorRef) {
  return add(mul(graph.constant(a), signal), mul(graph.constant(b), noise));
}

/** What the network should output. */
function targetOf(
  name: DiffusionOptions["target"],
  levels: BatchLevels,
  x0: TensorRef,
  e: TensorRef,
): Tensor {
  const { graph } = levels.logSnr;
  if (name === "x0") return graph.constant(x0);
  if (name === "epsilon") return graph.constant(e);
  return mixture(levels, e, scaleForward(graph.capture, x0, -1));
}
