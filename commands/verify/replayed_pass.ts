/**
 * One pass of a recorded network as it is replayed: the graph, and the inputs that it asks for, in our
 * layout.
 *
 * @module
 */
import type { Graph, Tensor } from "../../autograd/graph.ts";
import type { Arena } from "../../device/arena.ts";
import { sizeOf, type TensorRef } from "../../device/tensor.ts";
import type { GoldenFile } from "./golden.ts";
import { channelsLast, fromTorch } from "./layout.ts";

/** What a pass gives: on the GPU in our layout, or numbers in PyTorch's. */
export type PassOutput = Tensor | TensorRef | ArrayLike<number>;

/** Arguments of a recorded call. */
export type PassArguments = Readonly<Record<string, unknown>>;

/** Writes down one pass of a rebuilt network. */
export type RecordPass = (pass: Pass) => Readonly<Record<string, PassOutput>>;

/** One pass being replayed: a graph, and inputs from the file. */
export class Pass {
  /** Values of the inputs asked for. */
  readonly values: Record<string, ArrayLike<number>> = {};
  /** Images whose gradients may be wanted, by name. */
  readonly images = new Map<string, Tensor>();

  constructor(
    readonly golden: GoldenFile,
    readonly graph: Graph,
    /** Arguments of the recorded call. */
    readonly args: PassArguments,
    /** The weights, which also hold what a forward pass changes. */
    readonly weights: Arena,
    private readonly prefix: string,
  ) {}

  /** Whether something is recorded for this pass, or for all. */
  has(name: string): boolean {
    return this.golden.has(this.prefix + name) || this.golden.has(name);
  }

  /** Images `[N, C, ...]` as `[N, ..., C]`, with a gradient. */
  image(name: string): Tensor {
    const known = this.images.get(name);
    if (known) return known;
    const tensor = this.graph.variable(this.#images(name));
    this.images.set(name, tensor);
    return tensor;
  }

  /** The same without a gradient. */
  constant(name: string): Tensor {
    return this.graph.constant(this.#images(name));
  }

  /** The images at one place of a list of batches, `[places, N, C, ...]`. */
  slice(name: string, place: number): TensorRef {
    const { data, shape: [, ...shape] } = this.#recorded(name);
    const size = sizeOf(shape);
    const part = {
      shape,
      data: Float32Array.from(data).subarray(place * size, (place + 1) * size),
    };
    const images = fromTorch(part, channelsLast(shape.length));
    return this.#input(`${name} ${place}`, images.shape, images.data);
  }

  /** Numbers as they are, f32. */
  numbers(name: string): TensorRef {
    const { data, shape } = this.#recorded(name);
    return this.#input(name, shape, Float32Array.from(data));
  }

  /** Whole numbers such as timesteps and classes, u32. */
  indices(name: string): TensorRef {
    const { data, shape } = this.#recorded(name);
    return this.#input(name, shape, Uint32Array.from(data));
  }

  /** Whole numbers or not, as the file has them: u32 for timesteps that were counted. */
  level(name: string): TensorRef {
    const { data } = this.#recorded(name);
    return data instanceof Float32Array ? this.numbers(name) : this.indices(name);
  }

  /** Recorded numbers in PyTorch's layout. */
  recorded(name: string): ArrayLike<number> {
    return this.#recorded(name).data;
  }

  #images(name: string): TensorRef {
    const recorded = this.#recorded(name);
    const { data, shape } = fromTorch(recorded, channelsLast(recorded.shape.length));
    return this.#input(name, shape, data);
  }

  #recorded(name: string) {
    const own = this.prefix + name;
    return this.golden.get(this.golden.has(own) ? own : name);
  }

  #input(
    name: string,
    shape: readonly number[],
    data: Float32Array<ArrayBuffer> | Uint32Array<ArrayBuffer>,
  ): TensorRef {
    this.values[name] = data;
    return this.graph.capture.input(name, shape, data instanceof Uint32Array ? "u32" : "f32");
  }
}
