/**
 * LPIPS, a distance between images that agrees with people's eyes (Zhang et al. 2018,
 * arXiv 1801.03924, equation 1), on AlexNet: features of five layers, each normalised along channels,
 * squared differences weighted by learned non-negative factors, averaged over pixels and added.
 *
 * Weights are a file of the lpips package (`lpips.LPIPS(net="alex").state_dict()`): tensors
 * `net.slice1.0`, `net.slice2.3`, `net.slice3.6`, `net.slice4.8`, `net.slice5.10` with `.weight`
 * `[co, ci, kh, kw]` and `.bias`, or torchvision's names `features.0` ... `features.10` for the same;
 * and `lin0.model.1.weight` to `lin4.model.1.weight` `[1, c, 1, 1]`.
 *
 * @module
 */
import { Arena } from "../../device/arena.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { Program } from "../../device/program.ts";
import { formatShape, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { resizeBilinearForward } from "../../kernels/layout/resize_bilinear.ts";
import { addResized, distanceGradient, EPSILON, pixelDistances } from "./lpips_distance.ts";
import {
  type GradientProgram,
  type Layer,
  LAYERS,
  planGradients,
  recordLayer,
} from "./lpips_layers.ts";

/** A tensor of a state_dict. */
export interface LpipsTensor {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** Smallest side: below, nothing is left to pool. */
const LEAST_SIDE = 31;
/** Shorter side that smaller images are enlarged to: that of the patches which people compared. */
const ENLARGED_SIDE = 64;
/** Mean and deviation of ImageNet in [-1, 1], by channel. */
const SHIFT = [-0.030, -0.088, -0.188], SCALE = [0.458, 0.448, 0.450];
/** Pairs of images that run at once. */
const BATCH = 8;

/** Sizes of the images that are compared. */
export interface LpipsShape {
  readonly height: number;
  readonly width: number;
  /** 3, or 1 for grey images, which are repeated. */
  readonly channels: number;
}

/**
 * Sides of what AlexNet sees, `[height, width]`: the images' own, but where a side is below 31 the
 * shorter one is 64, and the images are enlarged bilinearly.
 */
export function lpipsSides({ height, width }: Omit<LpipsShape, "channels">): [number, number] {
  const shorter = Math.min(height, width);
  if (shorter >= LEAST_SIDE) return [height, width];
  const enlarged = (side: number) => Math.round(side * ENLARGED_SIDE / shorter);
  return [enlarged(height), enlarged(width)];
}

/** The distance, for images of one size. */
export class Lpips {
  /** Made when first wanted. */
  #gradients: GradientProgram | undefined;

  private constructor(
    private readonly gpu: Gpu,
    private readonly shape: LpipsShape,
    private readonly arena: Arena,
    private readonly program: Program,
    private readonly maps: readonly TensorRef[],
    /** Factors of the channels of each layer. */
    private readonly factors: readonly Float64Array[],
  ) {}

  /**
   * Uploads the weights and plans.
   *
   * @throws {RangeError} When a tensor is missing or has another shape, or images have neither one
   *   channel nor three.
   */
  static async create(
    gpu: Gpu,
    state: ReadonlyMap<string, LpipsTensor>,
    shape: LpipsShape,
  ): Promise<Lpips> {
    const { height, width, channels } = shape;
    if (channels !== 1 && channels !== 3) {
      throw new RangeError(
        `Cannot compute LPIPS: images must have 1 or 3 channels, got ${height}x${width}x${channels}`,
      );
    }
    const entries = LAYERS.flatMap(({ slice, inputs, outputs, kernel }) => [
      { name: `${slice}.weight`, shape: [kernel, kernel, inputs, outputs] },
      { name: `${slice}.bias`, shape: [outputs] },
    ]);
    const arena = Arena.create(gpu, "LPIPS", entries);
    const capture = new Capture(gpu, "LPIPS");
    let x = capture.input("images", [2 * BATCH, height, width, 3]);
    const sides = lpipsSides(shape);
    if (sides[0] !== height || sides[1] !== width) x = resizeBilinearForward(capture, x, sides);
    const maps = LAYERS.map((layer) => {
      const { weight, bias } = readLayer(state, layer);
      gpu.write(arena.get(`${layer.slice}.weight`), weight);
      gpu.write(arena.get(`${layer.slice}.bias`), bias);
      x = recordLayer(capture, x, layer, arena);
      return capture.keep(x);
    });
    const factors = LAYERS.map(({ outputs }, i) =>
      Float64Array.from(tensorOf(state, [`lin${i}.model.1.weight`], [1, outputs, 1, 1]))
    );
    return new Lpips(gpu, shape, arena, await capture.plan(), maps, factors);
  }

  /**
   * The distance of each image of `a` to its partner in `b`.
   *
   * @param a `[count, height, width, channels]` in [-1, 1], as `b`.
   */
  async distances(a: Float32Array, b: Float32Array): Promise<Float64Array> {
    const layers = await this.layerDistances(a, b);
    const sums = new Float64Array(layers.length / LAYERS.length);
    for (const [i, value] of layers.entries()) {
      const n = Math.floor(i / LAYERS.length);
      sums[n] = sums[n]! + value;
    }
    return sums;
  }

  /**
   * What each layer adds to {@linkcode distances}, `[count, 5]`.
   *
   * @param a `[count, height, width, channels]` in [-1, 1], as `b`.
   */
  async layerDistances(a: Float32Array, b: Float32Array): Promise<Float64Array> {
    const result = new Float64Array(this.#count(a) * LAYERS.length);
    await this.#visit(a, b, (n, pairs) =>
      pairs.forEach(([one, other], i) => {
        result[n * LAYERS.length + i] = layerDistance(one, other, this.factors[i]!);
      }));
    return result;
  }

  /**
   * The features that distances go by, `[count, h, w, c]` for each of the five layers; of enlarged
   * images where these are small, see {@linkcode lpipsSides}.
   *
   * @param images `[count, height, width, channels]` in [-1, 1].
   */
  async features(images: Float32Array): Promise<Float32Array[]> {
    const count = this.#count(images);
    const results = this.maps.map(({ shape }) => new Float32Array(count * sizeOf(shape.slice(1))));
    await this.#visit(
      images,
      images,
      (n, pairs) => pairs.forEach(([one], i) => results[i]!.set(one, n * one.length)),
    );
    return results;
  }

  /**
   * Where images differ: the layers' distances by pixel, resized to the images and added.
   *
   * @param a `[count, height, width, channels]` in [-1, 1], as `b`.
   * @returns `[count, height, width]`
   */
  async spatialMaps(a: Float32Array, b: Float32Array): Promise<Float64Array> {
    const { height, width } = this.shape, size = height * width;
    const result = new Float64Array(this.#count(a) * size);
    await this.#visit(a, b, (n, pairs) => {
      const to = { height, width, values: result.subarray(n * size, (n + 1) * size) };
      pairs.forEach(([one, other], i) => {
        const [, rows = 0, columns = 0] = this.maps[i]!.shape;
        const values = pixelDistances(one, other, this.factors[i]!);
        addResized(to, { height: rows, width: columns, values });
      });
    });
    return result;
  }

  /**
   * The gradient of each pair's distance with respect to its image of `a`.
   *
   * @param a `[count, height, width, channels]` in [-1, 1], as `b`.
   * @returns Of the shape of `a`.
   */
  async gradients(a: Float32Array, b: Float32Array): Promise<Float32Array> {
    const { height, width, channels } = this.shape, length = height * width * channels;
    const shape = [1, height, width, 3];
    const { program, gradient } = this.#gradients ??= await planGradients(
      this.gpu,
      this.arena,
      shape,
      lpipsSides(this.shape),
    );
    const result = new Float32Array(a.length), images = new Float32Array(sizeOf(shape));
    await this.#visit(a, b, async (n, pairs) => {
      fill(images, a.subarray(n * length, (n + 1) * length), 0, channels);
      const slopes = pairs.map(([one, other], i) => {
        const slope = new Float32Array(one.length);
        distanceGradient(slope, one, other, this.factors[i]!);
        return [`slope${i}`, slope] as const;
      });
      program.run({ images, ...Object.fromEntries(slopes) });
      const found = await program.readF32(gradient);
      for (const [i, value] of found.entries()) {
        const at = n * length + (channels === 3 ? i : Math.floor(i / 3));
        result[at] = result[at]! + value / SCALE[i % 3]!;
      }
    });
    return result;
  }

  #count(images: Float32Array): number {
    const { height, width, channels } = this.shape;
    return images.length / (height * width * channels);
  }

  /** Tells `look` of each pair's features, by layer `[h, w, c]` of either image. */
  async #visit(
    a: Float32Array,
    b: Float32Array,
    look: (
      n: number,
      pairs: readonly (readonly [Float32Array, Float32Array])[],
    ) => void | Promise<void>,
  ): Promise<void> {
    const { height, width, channels } = this.shape;
    const length = height * width * channels, count = this.#count(a);
    const images = new Float32Array(2 * BATCH * height * width * 3);
    for (let first = 0; first < count; first += BATCH) {
      const here = Math.min(BATCH, count - first);
      [a, b].forEach((values, side) => {
        const part = values.subarray(first * length, (first + here) * length);
        fill(images, part, side * BATCH * height * width * 3, channels);
      });
      this.program.run({ images });
      const features: Float32Array[] = [];
      for (const map of this.maps) features.push(await this.program.readF32(map));
      for (let n = 0; n < here; n++) {
        const pairs = features.map((values) => {
          const half = values.length / 2, size = half / BATCH;
          return [
            values.subarray(n * size, (n + 1) * size),
            values.subarray(half + n * size, half + (n + 1) * size),
          ] as const;
        });
        await look(first + n, pairs);
      }
    }
  }

  /** Frees everything. */
  destroy(): void {
    this.program.destroy();
    this.#gradients?.program.destroy();
    this.arena.destroy(this.gpu);
  }
}

/** Writes images standardised, grey ones three times. */
function fill(to: Float32Array, images: Float32Array, at: number, channels: number): void {
  for (let pixel = 0; pixel < images.length / channels; pixel++) {
    for (let c = 0; c < 3; c++) {
      const value = images[pixel * channels + (channels === 3 ? c : 0)]!;
      to[at + 3 * pixel + c] = (value - SHIFT[c]!) / SCALE[c]!;
    }
  }
}

/** Mean over pixels of the weighted squared differences of unit vectors along channels. */
function layerDistance(a: Float32Array, b: Float32Array, factors: Float64Array): number {
  const channels = factors.length, pixels = a.length / channels;
  let sum = 0;
  for (let pixel = 0; pixel < pixels; pixel++) {
    const at = pixel * channels;
    let normA = 0, normB = 0;
    for (let c = 0; c < channels; c++) {
      normA += a[at + c]! ** 2;
      normB += b[at + c]! ** 2;
    }
    const scaleA = 1 / (Math.sqrt(normA) + EPSILON), scaleB = 1 / (Math.sqrt(normB) + EPSILON);
    for (let c = 0; c < channels; c++) {
      sum += factors[c]! * (a[at + c]! * scaleA - b[at + c]! * scaleB) ** 2;
    }
  }
  return sum / pixels;
}

function readLayer(state: ReadonlyMap<string, LpipsTensor>, layer: Layer) {
  const { slice, index, inputs, outputs, kernel } = layer;
  const names = (part: string) => [`net.${slice}.${index}.${part}`, `features.${index}.${part}`];
  const theirs = tensorOf(state, names("weight"), [outputs, inputs, kernel, kernel]);
  const weight = new Float32Array(theirs.length);
  const area = kernel * kernel;
  for (let o = 0, from = 0; o < outputs; o++) {
    for (let i = 0; i < inputs; i++) {
      for (let tap = 0; tap < area; tap++) {
        weight[(tap * inputs + i) * outputs + o] = theirs[from++]!;
      }
    }
  }
  return { weight, bias: Float32Array.from(tensorOf(state, names("bias"), [outputs])) };
}

function tensorOf(
  state: ReadonlyMap<string, LpipsTensor>,
  names: readonly string[],
  shape: readonly number[],
): ArrayLike<number> {
  const name = names.find((name) => state.has(name)) ?? names[0]!;
  const tensor = state.get(name);
  if (tensor && formatShape(tensor.shape) === formatShape(shape)) return tensor.data;
  throw new RangeError(
    `Cannot take the weights of LPIPS: ${name} must have shape ${formatShape(shape)}, got ${
      tensor ? formatShape(tensor.shape) : "no such tensor"
    }`,
  );
}
