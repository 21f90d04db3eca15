/**
 * The training objective (Ho et al. 2020, arXiv 2006.11239, algorithm 1 and equation 14):
 *
 *     t ~ U{0..T-1},  e ~ N(0, I),  x_t = sqrt(A_t) x_0 + sqrt(1 - A_t) e
 *     L = mean of loss(f(x_t, t), target)
 *
 * with the target and the elementwise loss that the options name (the paper: e and the square), the
 * distribution of t and its weights of timesteps.ts, and the spectrum loss of spectral_loss.ts added.
 * Everything random comes from the graph's key, so a batch may be cut anywhere.
 *
 * @module
 */
import type { Graph, Tensor } from "../autograd/graph.ts";
import type { Conditions } from "../autograd/network_inputs.ts";
import { add } from "../autograd/ops/add.ts";
import { meanLoss } from "../autograd/ops/losses.ts";
import { mul } from "../autograd/ops/mul.ts";
import { mean } from "../autograd/ops/reduce.ts";
import type { Gpu } from "../device/gpu.ts";
import type { TensorRef } from "../device/tensor.ts";
import { linearCombination, qSample } from "../kernels/process/q_sample.ts";
import { randomNormal } from "../kernels/process/random.ts";
import { type Denoiser, STREAMS } from "./denoiser.ts";
import type { DiffusionOptions } from "./options.ts";
import { makeSchedule } from "./schedule.ts";
import { SpectralLoss } from "./spectral_loss.ts";
import { targetForm } from "./target.ts";
import { createTimestepSampler, type TimestepSampler, uniformTimesteps } from "./timesteps.ts";

/** What one evaluation of the objective consists of. */
export interface ObjectiveTensors {
  /** Timesteps `[n]`, u32. */
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

/** What an evaluation works on. */
export interface ObjectiveInputs extends Conditions {
  /** Clean images `[n, h, w, c]` in [-1, 1]. */
  readonly x0: TensorRef;
  readonly denoise: Denoiser;
  /** Whether the loss is a mean a sample; false unless given. */
  readonly perSample?: boolean;
  /**
   * Whether timesteps are uniform, unweighted, and the loss goes without the spectrum loss: what runs
   * of different objectives are compared on. False unless given.
   */
  readonly plain?: boolean;
}

/** An objective with its tables on the GPU. */
export class Objective {
  readonly #options: DiffusionOptions;
  readonly #uniform: TimestepSampler;
  readonly #sampler: TimestepSampler;
  readonly #spectral: SpectralLoss | null;
  readonly #signal: TensorRef;
  readonly #noise: TensorRef;
  /** Coefficients of x_0, e and x_t in the target; null where all are zero, "one" where all are 1. */
  readonly #target: Readonly<Record<"x0" | "noise" | "xt", TensorRef | "one" | null>>;

  /**
   * @param options With a number for `tMax` where it matters (see t_max.ts).
   * @throws {RangeError} When the options break their rules.
   */
  constructor(private readonly gpu: Gpu, options: DiffusionOptions) {
    const schedule = makeSchedule(options);
    const table = (values: Float64Array, label: string) =>
      gpu.tensor([values.length], { data: Float32Array.from(values), label });
    const coefficient = (values: Float64Array, label: string) => {
      if (values.every((value) => value === 0)) return null;
      return values.every((value) => value === 1) ? "one" : table(values, label);
    };
    const form = targetForm(schedule, options.target);
    this.#options = options;
    this.#uniform = uniformTimesteps(schedule.timesteps);
    this.#sampler = createTimestepSampler(gpu, schedule, options);
    this.#spectral = options.spectralLoss.lambda > 0
      ? new SpectralLoss(gpu, schedule, options)
      : null;
    this.#signal = table(schedule.sqrtAlphasCumprod, "signal");
    this.#noise = table(schedule.sqrtOneMinusAlphasCumprod, "noise");
    this.#target = {
      x0: coefficient(form.x0, "target share of x0"),
      noise: coefficient(form.noise, "target share of noise"),
      xt: coefficient(form.xt, "target share of xt"),
    };
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
    const { x0, denoise, perSample = false, plain = false, ...conditions } = inputs;
    const { capture, random } = graph;
    const [samples = 0, ...shape] = x0.shape;
    const sampler = plain ? this.#uniform : this.#sampler;
    const { timesteps, weights } = sampler.draw(graph, samples);
    const noise = randomNormal(capture, random, { samples, shape, stream: STREAMS.noise });
    const tables = { signal: this.#signal, noise: this.#noise };
    const xt = qSample(capture, x0, noise, timesteps, tables);
    const prediction = denoise(graph, { x: graph.constant(xt), level: timesteps, ...conditions });
    const target = this.#combine(graph, timesteps, { x0, noise, xt });
    const spectral = plain ? null : this.#spectral;
    const { learn } = sampler;
    const apart = perSample || weights !== null || learn !== undefined || spectral !== null;
    let loss = meanLoss(prediction, graph.constant(target), {
      kind: this.#options.loss,
      perSample: apart,
    });
    learn?.(capture, timesteps, loss.ref);
    if (spectral) loss = add(loss, spectral.record(graph, { x0, noise, timesteps, prediction }));
    if (weights) loss = mul(loss, graph.constant(weights));
    if (apart && !perSample) loss = mean(loss);
    return { timesteps, noise, xt, target, prediction, loss };
  }

  /** Frees the tables. */
  destroy(): void {
    this.#sampler.destroy();
    this.#spectral?.destroy();
    for (const table of [this.#signal, this.#noise, ...Object.values(this.#target)]) {
      if (table !== null && table !== "one") this.gpu.destroyTensor(table);
    }
  }

  #combine(
    graph: Graph,
    timesteps: TensorRef,
    tensors: Readonly<Record<"x0" | "noise" | "xt", TensorRef>>,
  ): TensorRef {
    const terms: { table: TensorRef; x: TensorRef }[] = [];
    for (const name of ["x0", "noise", "xt"] as const) {
      const table = this.#target[name];
      // A share of one at every timestep is the whole target.
      if (table === "one") return tensors[name];
      if (table !== null) terms.push({ table, x: tensors[name] });
    }
    return linearCombination(graph.capture, timesteps, terms);
  }
}
