/**
 * The training objective (Ho et al. 2020, arXiv 2006.11239, algorithm 1 and equation 14):
 *
 *     t ~ U{0..T-1},  e ~ N(0, I),  x_t = sqrt(A_t) x_0 + sqrt(1 - A_t) e
 *     L = mean of loss(f(x_t, t), target)
 *
 * with the target and the elementwise loss that the options name (the paper: e and the square).
 * Everything random comes from the graph's key, so a batch may be cut anywhere.
 *
 * @module
 */
import type { Graph, Tensor } from "../autograd/graph.ts";
import { meanLoss } from "../autograd/ops/losses.ts";
import type { Gpu } from "../device/gpu.ts";
import type { TensorRef } from "../device/tensor.ts";
import { linearCombination, qSample } from "../kernels/q_sample.ts";
import { randomIntegers, randomNormal } from "../kernels/random.ts";
import { type Denoiser, STREAMS } from "./denoiser.ts";
import type { DiffusionOptions } from "./options.ts";
import { makeSchedule } from "./schedule.ts";
import { targetForm } from "./target.ts";

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
export interface ObjectiveInputs {
  /** Clean images `[n, h, w, c]` in [-1, 1]. */
  readonly x0: TensorRef;
  readonly denoise: Denoiser;
  /** Whether the loss is a mean a sample; false unless given. */
  readonly perSample?: boolean;
}

/** An objective with its tables on the GPU. */
export class Objective {
  readonly #options: DiffusionOptions;
  readonly #timesteps: number;
  readonly #signal: TensorRef;
  readonly #noise: TensorRef;
  /** Coefficients of x_0, e and x_t in the target; null where all are zero, "one" where all are 1. */
  readonly #target: Readonly<Record<"x0" | "noise" | "xt", TensorRef | "one" | null>>;

  /** @throws {RangeError} When the schedule's options break their rules. */
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
    this.#timesteps = schedule.timesteps;
    this.#signal = table(schedule.sqrtAlphasCumprod, "signal");
    this.#noise = table(schedule.sqrtOneMinusAlphasCumprod, "noise");
    this.#target = {
      x0: coefficient(form.x0, "target share of x0"),
      noise: coefficient(form.noise, "target share of noise"),
      xt: coefficient(form.xt, "target share of xt"),
    };
  }

  /**
   * Records the objective of a batch.
   *
   * @param graph Must have a random key.
   */
  record(graph: Graph, { x0, denoise, perSample = false }: ObjectiveInputs): ObjectiveTensors {
    const { capture, random } = graph;
    const [samples = 0, ...shape] = x0.shape;
    const timesteps = randomIntegers(capture, random, {
      samples,
      shape: [],
      stream: STREAMS.timesteps,
      below: this.#timesteps,
    });
    const noise = randomNormal(capture, random, { samples, shape, stream: STREAMS.noise });
    const tables = { signal: this.#signal, noise: this.#noise };
    const xt = qSample(capture, x0, noise, timesteps, tables);
    const prediction = denoise(graph, graph.constant(xt), timesteps);
    const target = this.#combine(graph, timesteps, { x0, noise, xt });
    const loss = meanLoss(prediction, graph.constant(target), {
      kind: this.#options.loss,
      perSample,
    });
    return { timesteps, noise, xt, target, prediction, loss };
  }

  /** Frees the tables. */
  destroy(): void {
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
