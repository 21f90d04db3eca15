/**
 * The training objective (Ho et al. 2020, arXiv 2006.11239, algorithm 1 and equation 14):
 *
 *     t ~ U{0..T-1},  e ~ N(0, I),  x_t = sqrt(A_t) x_0 + sqrt(1 - A_t) e
 *     L = mean of loss(f(x_t, t), target)
 *
 * with the noise levels, the target and the weighting of the process (the paper: e, and 1), the
 * elementwise loss that the options name (the square), the distribution of t and its weights of
 * timesteps/, and the spectrum loss of spectral_loss.ts and those of auxiliary/ added; where the variance is learned, the
 * variational bound as well, of which the prediction learns nothing (Nichol and Dhariwal 2021, arXiv
 * 2102.09672, section 3.1); where the network has two outputs, the losses of both (dual_output.ts).
 * Everything random comes from the graph's key, so a batch may be cut anywhere.
 *
 * @module
 */
import type { Graph, Tensor } from "../autograd/graph.ts";
import type { Conditioning, Conditions, NetworkInputs } from "../autograd/network_inputs.ts";
import { add } from "../autograd/ops/add.ts";
import { columns } from "../autograd/ops/columns.ts";
import { dualOutput } from "../autograd/ops/dual_output.ts";
import { meanLoss } from "../autograd/ops/losses.ts";
import { mul } from "../autograd/ops/mul.ts";
import { normHuber } from "../autograd/ops/norm_huber.ts";
import { mean } from "../autograd/ops/reduce.ts";
import type { Gpu } from "../device/gpu.ts";
import { reshape, sizeOf, type TensorRef } from "../device/tensor.ts";
import { mulForward } from "../kernels/elementwise/broadcast.ts";
import { randomBernoulli } from "../kernels/process/random.ts";
import { boundTable } from "../kernels/process/variational_bound.ts";
import { STREAMS } from "../support/random_streams.ts";
import {
  type Denoiser,
  denoiserOf,
  denoiserWithVariance,
  dualDenoiser,
  type Forward,
} from "./denoiser.ts";
import { branchLosses } from "./dual_output.ts";
import type { ProcessOnGpu } from "./level_tables.ts";
import { type NoiseOptions, noiseOptions } from "./noises/registry.ts";
import { type DiffusionOptions, NORM_HUBER } from "./options.ts";
import { isLearned } from "./posterior.ts";
import type { Process } from "./process.ts";
import { AuxiliaryLosses, usesAuxiliary } from "./auxiliary/registry.ts";
import { SpectralLoss } from "./spectral_loss.ts";
import type { TimestepSampler } from "./timesteps/record.ts";
import { createTimestepSampler } from "./timesteps/registry.ts";
import { uniformTimesteps } from "./timesteps/uniform.ts";
import { trainingNoise } from "./training_noise.ts";
import { boundInBits, boundRows } from "./variational_bound.ts";

/** What one evaluation of the objective consists of. */
export interface ObjectiveTensors {
  /** Timesteps `[n]`, u32: rows of the schedule. */
  readonly timesteps: TensorRef;
  /** Noise e, of the shape of the images. */
  readonly noise: TensorRef;
  /** Noisy images. */
  readonly xt: TensorRef;
  /** What the network should output. */
  readonly target: TensorRef;
  /** What it does output. */
  readonly prediction: Tensor;
  /** The loss: `[]`, or `[n]` a sample. */
  readonly loss: Tensor;
}

/** What a network is trained by. */
export interface TrainingObjective {
  /**
   * A network as the objective asks it.
   *
   * @param plain Whether for the plain loss; false unless given.
   */
  denoiserOf(network: Forward, plain?: boolean): Denoiser;
  /** What the objective has learnt while training, by name: a checkpoint must hold it. */
  readonly state: ReadonlyMap<string, TensorRef>;
  /**
   * Records the objective of a batch.
   *
   * @param graph Must have a random key.
   */
  record(graph: Graph, inputs: ObjectiveInputs): ObjectiveTensors;
  /** Frees the tables. */
  destroy(): void;
}

/** What an evaluation works on. */
export interface ObjectiveInputs extends Conditions {
  /** Clean images `[n, h, w, c]` in [-1, 1]. */
  readonly x0: TensorRef;
  /** That of {@linkcode TrainingObjective.denoiserOf}. */
  readonly denoise: Denoiser;
  /** What the network wants to know; nothing unless given. */
  readonly conditioning?: Conditioning | undefined;
  /** Whether the loss is a mean a sample; false unless given. */
  readonly perSample?: boolean;
  /**
   * Whether timesteps are uniform, unweighted, and the loss is in the output and goes without the
   * spectrum loss and those of auxiliary/: what runs
   * of different objectives are compared on. False unless given.
   */
  readonly plain?: boolean;
}

/** A batch with its timesteps and noise. */
export interface JudgedInputs extends ObjectiveInputs {
  /** Rows of the schedule, u32 `[n]`. */
  readonly timesteps: TensorRef;
  /** What the network is asked about, of the shape of the images. */
  readonly noise: TensorRef;
  /** What is mixed into the images; the noise unless given. */
  readonly mixed?: TensorRef;
  /** Factors of the samples' losses, `[n]`; 1 unless given. */
  readonly weights?: TensorRef | null;
  /** Records what is to be learnt from unweighted losses. */
  readonly learn?: TimestepSampler["learn"];
}

/** A batch as the loss knows it. */
type Given = Readonly<Record<"x0" | "noise" | "timesteps" | "xt", TensorRef>>;

/** What a network says of it. */
interface Answer {
  readonly graph: Graph;
  /** All that it says. */
  readonly output: Tensor;
  /** What is compared with the target. */
  readonly prediction: Tensor;
  /** Whether the output is two, noise and image. */
  readonly branched: boolean;
}

/** The elementwise loss, averaged over everything or a sample. */
type LossOf = (found: Tensor, wanted: Tensor) => Tensor;

/** Share of the samples that are told what the network predicted of them. */
const SELF_CONDITIONED = 0.5;

/** The noise as it is. */
const PLAIN_NOISE = noiseOptions();

/** An objective with its tables on the GPU. */
export class Objective implements TrainingObjective {
  readonly #options: DiffusionOptions;
  readonly #uniform: TimestepSampler;
  readonly #sampler: TimestepSampler;
  readonly #spectral: SpectralLoss | null;
  readonly #auxiliary: AuxiliaryLosses | null;
  readonly #noise: NoiseOptions;
  readonly #onGpu: ProcessOnGpu;
  /** What the variational bound goes by; null where no variance is learned. */
  readonly #bound: TensorRef | null;

  /**
   * @param options With a number for `tMax` where it matters (see t_max.ts).
   * @throws {RangeError} When the options break their rules.
   */
  constructor(
    private readonly gpu: Gpu,
    private readonly process: Process,
    options: DiffusionOptions,
  ) {
    const { schedule } = process;
    this.#options = options;
    this.#noise = options.noise;
    this.#uniform = uniformTimesteps(schedule.timesteps);
    this.#sampler = createTimestepSampler(gpu, schedule, options);
    this.#spectral = options.spectralLoss.lambda > 0
      ? new SpectralLoss(gpu, process, options)
      : null;
    this.#auxiliary = usesAuxiliary(options.auxiliary)
      ? new AuxiliaryLosses(gpu, process, options.auxiliary)
      : null;
    this.#onGpu = process.onGpu(gpu);
    this.#bound = boundOnGpu(gpu, process, options);
  }

  /**
   * A network as the objective asks it: for the variance after the prediction where that is learned, unless
   * the loss is plain, and for both outputs of one that has two.
   */
  denoiserOf(network: Forward, plain = false): Denoiser {
    if (this.process.noiseBranch) return dualDenoiser(network);
    return this.#bound && !plain ? denoiserWithVariance(network) : denoiserOf(network);
  }

  /** What the objective has learnt while training, by name: a checkpoint must hold it. */
  get state(): ReadonlyMap<string, TensorRef> {
    return this.#sampler.state;
  }

  /**
   * Records the objective of a batch.
   *
   * @param graph Must have a random key.
   */
  record(graph: Graph, inputs: ObjectiveInputs): ObjectiveTensors {
    const { plain = false, x0 } = inputs;
    const { capture, random } = graph;
    const sampler = plain ? this.#uniform : this.#sampler;
    const { timesteps, weights } = sampler.draw(graph, x0.shape[0] ?? 0);
    const noise = plain ? PLAIN_NOISE : this.#noise;
    const drawn = trainingNoise(capture, random, x0, this.process.drawNoise, noise);
    const { learn } = sampler;
    return this.judge(graph, { ...inputs, ...drawn, timesteps, weights, ...learn && { learn } });
  }

  /** Records the objective of a batch with given timesteps and noise. */
  judge(graph: Graph, inputs: JudgedInputs): ObjectiveTensors {
    const { x0, perSample = false, plain = false, ...rest } = inputs;
    const { timesteps, noise, mixed = noise, weights = null, learn, ...asked } = rest;
    const { capture } = graph;
    const xt = this.#onGpu.noised(capture, x0, mixed, timesteps);
    const given = { x0, noise, timesteps, xt };
    const answer = this.#ask(graph, given, { ...asked, plain });
    const { prediction } = answer;
    const shares = this.process.tables.target;
    const target = this.#onGpu.combine(capture, timesteps, [
      { share: shares.x0, x: x0 },
      { share: shares.noise, x: noise },
      { share: shares.xt, x: xt },
    ]);
    const judged = plain ? null : this.#judged({ ...given, prediction });
    const [found, wanted] = judged ?? [prediction, graph.constant(target)];
    const apart = perSample || weights !== null || learn !== undefined ||
      this.#options.loss === NORM_HUBER || !plain && this.#countsSamples;
    const lossOf = this.#lossOf(apart);
    let loss = lossOf(found, wanted);
    learn?.(capture, timesteps, loss.ref);
    if (!plain) loss = this.#withOthers(loss, lossOf, given, answer);
    if (weights) loss = mul(loss, graph.constant(weights));
    if (apart && !perSample) loss = mean(loss);
    return { timesteps, noise, xt, target, prediction, loss };
  }

  /** What the network says of noisy images. */
  #ask(
    graph: Graph,
    { xt, timesteps }: Given,
    { denoise, plain, conditioning, ...conditions }:
      & Pick<ObjectiveInputs, "denoise" | "conditioning" | "plain">
      & Conditions,
  ): Answer {
    const given = { ...this.#onGpu.inputs(graph, xt, timesteps), ...conditions };
    const selfCondition = conditioning?.selfCondition
      ? this.#selfCondition(denoiserOf({ forward: denoise }), graph, { given, xt, timesteps })
      : null;
    const output = denoise(graph, { ...given, ...selfCondition && { selfCondition } });
    const { noiseBranch } = given;
    if (noiseBranch) {
      const { limit } = this.#options.dualOutput;
      const prediction = dualOutput(output, given.x, noiseBranch, limit);
      return { graph, output, prediction, branched: true };
    }
    const withVariance = this.#bound && !plain;
    const prediction = withVariance ? columns(output, 0, xt.shape.at(-1) ?? 0) : output;
    return { graph, output, prediction, branched: false };
  }

  /** Whether a loss has parts that are of single samples. */
  get #countsSamples(): boolean {
    const parts = [this.process.tables.weight, this.#spectral, this.#auxiliary, this.#bound];
    return parts.some((part) => part !== null);
  }

  /** The loss as levels are weighted, and with those that are added to it. */
  #withOthers(
    loss: Tensor,
    lossOf: LossOf,
    { x0, noise, timesteps, xt }: Given,
    { graph, output, prediction, branched }: Answer,
  ): Tensor {
    const { capture } = graph;
    const { weight } = this.process.tables, { dualOutput: dual, vlbWeight } = this.#options;
    let sum = weight
      ? mul(loss, graph.constant(this.#onGpu.gather(capture, timesteps, weight)))
      : loss;
    const both = branched ? branchLosses(output, { x0, noise }, dual, lossOf) : null;
    if (both) sum = add(sum, both);
    if (this.#spectral) {
      sum = add(sum, this.#spectral.record(graph, { x0, noise, timesteps, prediction }));
    }
    if (this.#auxiliary) {
      const about = { x0, xt, timesteps, prediction };
      sum = add(sum, this.#auxiliary.record(graph, this.#onGpu, about));
    }
    if (this.#bound) {
      const channels = x0.shape.at(-1) ?? 0;
      const clean = this.#cleanOf(graph, { xt, timesteps, found: prediction.ref });
      const about = { x0, clean, timesteps, table: this.#bound };
      const lambda = vlbWeight * this.process.schedule.timesteps;
      sum = add(sum, boundInBits(columns(output, channels, channels), about, lambda));
    }
    return sum;
  }

  /** The elementwise loss, averaged over everything or a sample. */
  #lossOf(perSample: boolean): LossOf {
    const { loss: kind, lossScale: turn } = this.#options;
    return (found, wanted) => {
      if (kind !== NORM_HUBER) return meanLoss(found, wanted, { kind, turn, perSample });
      const squares = meanLoss(found, wanted, { kind: "mse", perSample });
      return normHuber(squares, sizeOf(found.shape) / (found.shape[0] ?? 1), turn);
    };
  }

  /**
   * The clean images that the network predicts without help, for about half of the samples or batches,
   * else zeros (Chen, Zhang and Hinton 2023, arXiv 2208.04202, algorithm 1); no gradient flows through.
   */
  #selfCondition(
    denoise: Denoiser,
    graph: Graph,
    { given, xt, timesteps }: {
      readonly given: NetworkInputs;
      readonly xt: TensorRef;
      readonly timesteps: TensorRef;
    },
  ): Tensor {
    const { capture } = graph;
    const [samples = 0, ...shape] = xt.shape;
    const clean = this.#cleanOf(graph, { xt, timesteps, found: denoise(graph, given).ref });
    const coins = randomBernoulli(capture, graph.random, {
      samples: this.#options.selfConditionBy === "batch" ? 1 : samples,
      shape: [],
      stream: STREAMS.selfCondition,
      probability: SELF_CONDITIONED,
    });
    const each = reshape(coins, [...coins.shape, ...shape.map(() => 1)]);
    return graph.constant(mulForward(capture, clean, each));
  }

  /** The clean images that a prediction implies; no gradient flows through. */
  #cleanOf(
    { capture }: Graph,
    { xt, timesteps, found }: Readonly<Record<"xt" | "timesteps" | "found", TensorRef>>,
  ): TensorRef {
    const { toX0 } = this.process.tables;
    return this.#onGpu.combine(capture, timesteps, [
      { share: toX0.xt, x: xt },
      { share: toX0.output, x: found },
    ]);
  }

  /** What the loss compares, where that is not the output and its target: what is found and wanted. */
  #judged(
    { timesteps, x0, noise, xt, prediction }: Omit<ObjectiveTensors, "target" | "loss"> & {
      readonly x0: TensorRef;
    },
  ): [Tensor, Tensor] | null {
    const { loss } = this.process.tables, { graph } = prediction;
    if (!loss) return null;
    const terms = [{ share: loss.prediction.output, x: prediction }];
    if (loss.prediction.xt.some((share) => share !== 0)) {
      terms.push({ share: loss.prediction.xt, x: graph.constant(xt) });
    }
    const wanted = this.#onGpu.combine(graph.capture, timesteps, [
      { share: loss.target.x0, x: x0 },
      { share: loss.target.noise, x: noise },
      { share: loss.target.xt, x: xt },
    ]);
    return [this.#onGpu.combineTensors(timesteps, terms), graph.constant(wanted)];
  }

  /** Frees the tables. */
  destroy(): void {
    this.#sampler.destroy();
    this.#spectral?.destroy();
    this.#auxiliary?.destroy();
    this.#onGpu.destroy();
    if (this.#bound) this.gpu.destroyTensor(this.#bound);
  }
}

/** The table of the variational bound, where a variance is learned. */
function boundOnGpu(
  gpu: Gpu,
  { schedule, variance }: Process,
  { vlbFloor }: DiffusionOptions,
): TensorRef | null {
  if (!isLearned(variance)) return null;
  const data = boundTable(boundRows(schedule, variance, vlbFloor));
  return gpu.tensor([data.length], { data, label: "variational bound" });
}
