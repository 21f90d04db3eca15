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
import { conv2dForward, conv2dShape } from "../../kernels/conv2d/conv2d.ts";
import { definePointwise, pointwise } from "../../kernels/shared/pointwise.ts";
import { maxPoolForward } from "../../kernels/layout/pool.ts";

/** A tensor of a state_dict. */
export interface LpipsTensor {
  readonly shape: readonly number[];
  readonly data: ArrayLike<number>;
}

/** One convolution of AlexNet; `pool` says that its input is pooled first. */
interface Layer {
  readonly slice: string;
  readonly index: number;
  readonly inputs: number;
  readonly outputs: number;
  readonly kernel: number;
  readonly stride: number;
  readonly padding: number;
  readonly pool: boolean;
}

const LAYERS: readonly Layer[] = [
  [1, 0, 3, 64, 11, 4, 2, false],
  [2, 3, 64, 192, 5, 1, 2, true],
  [3, 6, 192, 384, 3, 1, 1, true],
  [4, 8, 384, 256, 3, 1, 1, false],
  [5, 10, 256, 256, 3, 1, 1, false],
].map(([slice, index, inputs, outputs, kernel, stride, padding, pool]) =>
  ({ slice: `slice${slice}`, index, inputs, outputs, kernel, stride, padding, pool }) as Layer
);

/** Smallest side: below, nothing is left to pool. */
const LEAST_SIDE = 31;
/** Mean and deviation of ImageNet in [-1, 1], by channel. */
const SHIFT = [-0.030, -0.088, -0.188], SCALE = [0.458, 0.448, 0.450];
const EPSILON = 1e-10;
/** Pairs of images that run at once. */
const BATCH = 8;

const relu = definePointwise({ name: "relu", inputs: ["x"], result: "max(x, V(0.0))" });

/** Sizes of the images that are compared. */
export interface LpipsShape {
  readonly height: number;
  readonly width: number;
  /** 3, or 1 for grey images, which are repeated. */
  readonly channels: number;
}

/** The distance, for images of one size. */
export class Lpips {
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
   * @throws {RangeError} When a tensor is missing or has another shape, or images are too small.
   */
  static async create(
    gpu: Gpu,
    state: ReadonlyMap<string, LpipsTensor>,
    shape: LpipsShape,
  ): Promise<Lpips> {
    const { height, width, channels } = shape;
    if (Math.min(height, width) < LEAST_SIDE || (channels !== 1 && channels !== 3)) {
      throw new RangeError(
        `Cannot compute LPIPS: images must have sides of at least ${LEAST_SIDE} and 1 or 3 channels, got ${height}x${width}x${channels}`,
      );
    }
    const entries = LAYERS.flatMap(({ slice, inputs, outputs, kernel }) => [
      { name: `${slice}.weight`, shape: [kernel, kernel, inputs, outputs] },
      { name: `${slice}.bias`, shape: [outputs] },
    ]);
    const arena = Arena.create(gpu, "LPIPS", entries);
    const capture = new Capture(gpu, "LPIPS");
    let x = capture.input("images", [2 * BATCH, height, width, 3]);
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
    const { height, width, channels } = this.shape;
    const length = height * width * channels, count = a.length / length;
    const result = new Float64Array(count * LAYERS.length);
    const images = new Float32Array(2 * BATCH * height * width * 3);
    for (let first = 0; first < count; first += BATCH) {
      const here = Math.min(BATCH, count - first);
      [a, b].forEach((values, side) => {
        const part = values.subarray(first * length, (first + here) * length);
        fill(images, part, side * BATCH * height * width * 3, channels);
      });
      this.program.run({ images });
      for (const [i, map] of this.maps.entries()) {
        const values = await this.program.readF32(map);
        const half = sizeOf(map.shape) / 2, size = half / BATCH;
        for (let n = 0; n < here; n++) {
          const one = values.subarray(n * size, (n + 1) * size);
          const other = values.subarray(half + n * size, half + (n + 1) * size);
          result[(first + n) * LAYERS.length + i] = layerDistance(one, other, this.factors[i]!);
        }
      }
    }
    return result;
  }

  /** Frees everything. */
  destroy(): void {
    this.program.destroy();
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

function recordLayer(capture: Capture, x: TensorRef, layer: Layer, arena: Arena): TensorRef {
  const { slice, stride, padding, pool } = layer;
  const pooled = pool ? maxPoolForward(capture, x, { kernel: 3, stride: 2, padding: 0 }).result : x;
  const weight = arena.get(`${slice}.weight`);
  const shape = conv2dShape(pooled.shape, weight, { stride, padding: [padding, padding] });
  const bias = arena.get(`${slice}.bias`);
  return pointwise(
    capture,
    relu,
    { x: conv2dForward(capture, pooled, weight, shape, { bias }) },
    {},
  );
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
