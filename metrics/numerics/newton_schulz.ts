/**
 * An estimate of the Frechet distance on the GPU, in f32, for curves of a training run: the square
 * root of S1 S2 by Newton and Schulz's iteration (Higham 2008, "Functions of Matrices", equation
 * 6.35), with A scaled by its Frobenius norm:
 *
 *     Y0 = A, Z0 = I;  T = (3 I - Z Y) / 2,  Y <- Y T,  Z <- T Z;  Y -> A^(1/2)
 *
 * Slow directions of nearly singular covariances are left unfinished, so it comes out a little high,
 * and singular ones (fewer samples than features) may leave the range of f32; metrics/numerics/frechet.ts is
 * the number to report.
 *
 * @module
 */
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { Program } from "../../device/program.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { copyInto } from "../../kernels/elementwise/add.ts";
import { matmul } from "../../kernels/matmul/matmul.ts";
import { definePointwise, pointwise } from "../../kernels/shared/pointwise.ts";
import type { Gaussian } from "./moments.ts";
import { addProduct } from "./f64_matmul.ts";

/** Iterations unless told otherwise; the error of a well-conditioned root has long vanished. */
const ITERATIONS = 30;

const combine = definePointwise({
  name: "newtonSchulzFactor",
  inputs: ["identity", "product"],
  result: "1.5 * identity - 0.5 * product",
});

/** Estimates distances of one dimension; its memory and its program are made once. */
export class FrechetEstimator {
  private constructor(
    private readonly gpu: Gpu,
    /** Features of a side. */
    readonly dimension: number,
    private readonly program: Program,
    private readonly identity: TensorRef,
    private readonly y: TensorRef,
    private readonly z: TensorRef,
  ) {}

  /** Plans the iteration for `d` features. */
  static async create(gpu: Gpu, d: number): Promise<FrechetEstimator> {
    const matrix = (label: string) => gpu.tensor([d, d], { label });
    const [one, y, z] = [matrix("identity"), matrix("Newton-Schulz Y"), matrix("Newton-Schulz Z")];
    gpu.write(one, identityMatrix(d));
    const capture = new Capture(gpu, "Newton-Schulz iteration");
    const times = (left: TensorRef, right: TensorRef) =>
      matmul(capture, {
        ...{ a: { tensor: left, row: d }, b: { tensor: right, row: d }, m: d, n: d, k: d },
      });
    const shaped = (tensor: TensorRef) => ({ ...tensor, shape: [d, d] });
    const factor = pointwise(
      capture,
      combine,
      { identity: one, product: shaped(times(z, y)) },
      {},
    );
    const nextY = times(y, factor), nextZ = times(factor, z);
    copyInto(capture, y, nextY);
    copyInto(capture, z, nextZ);
    return new FrechetEstimator(gpu, d, await capture.plan(), one, y, z);
  }

  /**
   * The estimate; null where the iteration leaves the range of f32.
   *
   * @throws {RangeError} When a dimension differs.
   */
  async estimate(
    a: Gaussian,
    b: Gaussian,
    { iterations = ITERATIONS }: { readonly iterations?: number } = {},
  ): Promise<number | null> {
    const { dimension: d } = this;
    if (a.dimension !== d || b.dimension !== d) {
      throw new RangeError(
        `Cannot estimate a Frechet distance: both sides must have as many features, got ${a.dimension} and ${b.dimension}`,
      );
    }
    const product = new Float64Array(d * d);
    addProduct({
      ...{ a: a.covariance, aRow: d, aColumn: 1, b: b.covariance, bRow: d, c: product, cRow: d },
      ...{ m: d, n: d, k: d },
    });
    let squares = 0, rest = 0;
    for (const value of product) squares += value * value;
    for (let i = 0; i < d; i++) {
      rest += (a.mean[i]! - b.mean[i]!) ** 2 + a.covariance[i * d + i]! + b.covariance[i * d + i]!;
    }
    const norm = Math.sqrt(squares);
    if (norm === 0) return rest;
    const root = await this.#scaledRootTrace(product, norm, iterations);
    return Number.isFinite(root) ? Math.max(0, rest - 2 * root * Math.sqrt(norm)) : null;
  }

  /** Frees the memory. */
  destroy(): void {
    this.program.destroy();
    for (const tensor of [this.identity, this.y, this.z]) this.gpu.destroyTensor(tensor);
  }

  /** Trace of the root of `product / norm`. */
  async #scaledRootTrace(
    product: Float64Array,
    norm: number,
    iterations: number,
  ): Promise<number> {
    const { gpu, program, dimension: d } = this;
    gpu.write(this.y, Float32Array.from(product, (value) => value / norm));
    gpu.write(this.z, identityMatrix(d));
    for (let i = 0; i < iterations; i++) {
      program.run();
      await gpu.finish();
    }
    const root = await gpu.readF32(this.y);
    let trace = 0;
    for (let i = 0; i < d; i++) trace += root[i * d + i]!;
    return trace;
  }
}

function identityMatrix(d: number): Float32Array<ArrayBuffer> {
  const values = new Float32Array(d * d);
  for (let i = 0; i < d; i++) values[i * d + i] = 1;
  return values;
}
