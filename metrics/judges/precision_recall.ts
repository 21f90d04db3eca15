/**
 * Fidelity and variety apart. Around every sample of a set lies a ball that reaches its k-th
 * nearest neighbour in that set; the balls together stand for the set's manifold.
 *
 * - precision: generated images inside the real manifold; recall: real images inside the generated
 *   one (Kynkaanniemi et al. 2019, arXiv 1904.06991, equations 1 and 2; k = 3)
 * - density: how many real balls hold a generated image, over k; coverage: real balls that hold any
 *   (Naeem et al. 2020, arXiv 2002.09797, equations 3 and 4; k = 5)
 *
 * @module
 */
import { countRows, type FeatureSet } from "./kid.ts";
import { type Matrix, visitRowProducts } from "../numerics/f64_matmul.ts";

/** Shares in [0, 1]; density may pass 1. */
export interface ManifoldMetrics {
  /** Share of generated rows inside the real manifold. */
  readonly precision: number;
  /** Share of real rows inside the generated manifold. */
  readonly recall: number;
  /** Mean number of real balls that hold a generated row, over k. */
  readonly density: number;
  /** Share of real rows whose ball holds a generated row. */
  readonly coverage: number;
}

/** Neighbours that a ball reaches. */
export interface NeighbourOptions {
  /** Of precision and recall; 3 unless given. */
  readonly manifold?: number;
  /** Of density and coverage; 5 unless given. */
  readonly density?: number;
}

/**
 * The four shares.
 *
 * @throws {RangeError} When the dimensions differ or a side has no more rows than neighbours.
 */
export function manifoldMetrics(
  real: FeatureSet,
  generated: FeatureSet,
  { manifold = 3, density: many = 5 }: NeighbourOptions = {},
): ManifoldMetrics {
  const n = countRows(real), m = countRows(generated), d = real.dimension;
  const most = Math.max(manifold, many);
  if (generated.dimension !== d || Math.min(n, m) <= most) {
    throw new RangeError(
      `Cannot compare manifolds: both sides must have as many features and more than ${most} rows, got ${n} x ${d} and ${m} x ${generated.dimension}`,
    );
  }
  const realSquares = squares(real), generatedSquares = squares(generated);
  const [realRadii, wideRadii] = squaredRadii(real, [manifold, many]);
  const [generatedRadii] = squaredRadii(generated, [manifold]);
  const recalled = new Uint8Array(n), covered = new Uint8Array(n);
  let precise = 0, held = 0;
  visitRowProducts(generated.rows, m, real.rows, n, d, (j, products) => {
    let inside = false;
    for (let i = 0; i < n; i++) {
      const distance = generatedSquares[j]! + realSquares[i]! - 2 * products[i]!;
      inside ||= distance <= realRadii![i]!;
      if (distance <= generatedRadii![j]!) recalled[i] = 1;
      if (distance <= wideRadii![i]!) {
        held++;
        covered[i] = 1;
      }
    }
    if (inside) precise++;
  });
  const share = (flags: Uint8Array) => flags.reduce((sum, flag) => sum + flag, 0) / n;
  return {
    precision: precise / m,
    recall: share(recalled),
    density: held / (many * m),
    coverage: share(covered),
  };
}

function squares({ rows, dimension }: FeatureSet): Float64Array {
  const result = new Float64Array(rows.length / dimension);
  for (let i = 0; i < rows.length; i++) {
    const at = Math.floor(i / dimension);
    result[at] = result[at]! + rows[i]! * rows[i]!;
  }
  return result;
}

/** Squared distances to the k-th nearest other row, for each k. */
export function squaredRadii(set: FeatureSet, ks: readonly number[]): Float64Array[] {
  const { rows, dimension }: { rows: Matrix; dimension: number } = set;
  const norms = squares(set), n = norms.length, most = Math.max(...ks);
  const result = ks.map(() => new Float64Array(n));
  const nearest = new Float64Array(most);
  visitRowProducts(rows, n, rows, n, dimension, (i, products) => {
    nearest.fill(Infinity);
    for (let j = 0; j < n; j++) {
      if (j === i) continue;
      const distance = norms[i]! + norms[j]! - 2 * products[j]!;
      if (distance >= nearest[most - 1]!) continue;
      let at = most - 1;
      for (; at > 0 && nearest[at - 1]! > distance; at--) nearest[at] = nearest[at - 1]!;
      nearest[at] = distance;
    }
    ks.forEach((k, at) => void (result[at]![i] = nearest[k - 1]!));
  });
  return result;
}
