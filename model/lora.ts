/**
 * Low-rank adaptation (Hu et al. 2021, arXiv 2106.09685, equation 3): a weight W, which stays as it is, gets
 *
 *     W' = W + (alpha / rank) A B
 *
 * of which A `[in, rank]` and B `[rank, out]` are learned. Of a convolution `in` is all that one output looks
 * at, `kh kw ci`: A is a convolution to `rank` channels and B one of single pixels. B starts at zeros, so that
 * training starts with the network as it was.
 *
 * @module
 */
import type { Tensor } from "../autograd/graph.ts";
import { add } from "../autograd/ops/add.ts";
import { linear } from "../autograd/ops/matmul.ts";
import { reshape } from "../autograd/ops/reshape.ts";
import { scale } from "../autograd/ops/scale.ts";
import { Parameter } from "../autograd/parameter.ts";
import { sizeOf } from "../device/tensor.ts";
import { fanInUniform, zeros } from "./init.ts";
import type { LoraOptions } from "./lora_options.ts";
import { Module, namedModules, namedParameters } from "./module.ts";
import { matchesName, patternsOf } from "./names/patterns.ts";

/** The property of a layer that holds its addition, and so a part of its parameters' names. */
const LORA = "lora";

/** What is added to one weight. */
export class Lora extends Module {
  readonly down: Parameter;
  readonly up: Parameter;
  readonly #weight: Parameter;
  readonly #factor: number;

  /** @param weight `[in, out]` or `[kh, kw, ci, co]`. */
  constructor(weight: Parameter, { rank, alpha }: Pick<LoraOptions, "rank" | "alpha">) {
    super();
    const outputs = weight.shape.at(-1) ?? 1, inputs = sizeOf(weight.shape) / outputs;
    // More would say nothing new.
    const most = Math.min(rank, inputs, outputs);
    this.down = new Parameter([inputs, most], fanInUniform(inputs));
    this.up = new Parameter([most, outputs], zeros);
    this.#weight = weight;
    this.#factor = (alpha ?? rank) / rank;
  }

  /** The weight that it adds to. */
  get weight(): Parameter {
    return this.#weight;
  }

  /** Records W' of W. */
  adapted(own: Tensor): Tensor {
    const { graph } = own;
    const product = linear(graph.parameter(this.down), graph.parameter(this.up));
    return add(own, reshape(scale(product, this.#factor), own.shape));
  }

  /** W' of values, with sums in f64. */
  merged(
    weight: Float32Array,
    down: Float32Array,
    up: Float32Array,
  ): Float32Array<ArrayBuffer> {
    const [rank = 0, outputs = 0] = this.up.shape;
    return Float32Array.from(weight, (value, i) => {
      const row = Math.floor(i / outputs), column = i % outputs;
      let sum = 0;
      for (let r = 0; r < rank; r++) sum += down[row * rank + r]! * up[r * outputs + column]!;
      return value + this.#factor * sum;
    });
  }
}

/** The additions of a network, with the names of the layers that have them. */
export function* namedLoras(module: Module): Generator<[layer: string, lora: Lora]> {
  for (const [path, inner] of namedModules(module)) {
    if (inner instanceof Lora) yield [path.slice(0, -LORA.length - 1), inner];
  }
}

/** Whether a parameter is one of an addition. */
export function isLoraName(name: string): boolean {
  return name.includes(`.${LORA}.`);
}

/**
 * Gives layers additions, and marks all else as not learned.
 *
 * @throws {RangeError} When a pattern means no layer.
 */
export function addLora(network: Module, { rank, alpha, layers }: LoraOptions): void {
  if (rank === 0) return;
  const candidates = [...namedModules(network)].flatMap(([path, module]) => {
    const { weight } = module as { weight?: unknown };
    const fits = weight instanceof Parameter && [2, 4].includes(weight.shape.length);
    return fits && weight.learned ? [{ path, module, weight }] : [];
  });
  const patterns = patternsOf(layers);
  for (const pattern of patterns) {
    if (candidates.some(({ path }) => matchesName(pattern, path))) continue;
    throw new RangeError(
      `Cannot adapt ${JSON.stringify(pattern)}: model.lora.layers must name linear layers or ` +
        `convolutions of the network, such as ${
          candidates.slice(0, 3).map(({ path }) => path).join(", ") || "none"
        }`,
    );
  }
  for (const [, parameter] of namedParameters(network)) parameter.learned = false;
  for (const { path, module, weight } of candidates) {
    if (!patterns.some((pattern) => matchesName(pattern, path))) continue;
    Object.assign(module, { [LORA]: new Lora(weight, { rank, alpha }) });
  }
}
