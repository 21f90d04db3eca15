/**
 * UniPC (Zhao, Bai, Rao, Zhou and Lu 2023, arXiv 2302.04867, algorithms 5 and 6): a multistep predictor
 * whose result is corrected as soon as the network has seen it, at no further evaluation. With
 * l = log(signal / noise), h = l' - l, r_j the place of an earlier prediction in units of h and D_j its
 * difference from the one at hand over r_j,
 *
 *     x' = s'/s x - a' (exp(-h) - 1) m_0 - a' B sum_j rho_j D_j            (m predicting x0)
 *     x' = a'/a x - s' (exp(h) - 1) m_0 - s' B sum_j rho_j D_j             (m predicting the noise)
 *
 * where rho solves sum_j rho_j r_j^(k - 1) = phi_k / B, phi_k from exp(-h) or exp(h), and B is h
 * (`bh1`) or its exponential less 1 (`bh2`). The corrector is the same with the prediction at x' as one
 * of the m_j, at r = 1.
 *
 * Towards a clean image, where h is infinite, the order falls to 1.
 *
 * @module
 */
import type { SamplerStep, Shares } from "../moves.ts";
import { lambdaOf, nextOf, type NumberedLevel, type Path } from "../path.ts";
import { combine, evaluate, IMAGE, kept, type Weighted } from "../shares.ts";
import { ORDER, type OrderSettings } from "./lms.ts";
import { historyAt, type Predicted } from "./multistep.ts";
import { onPath, type SamplerRecord, type SkippingSettings, SPACING } from "./record.ts";

/** See the module. */
export const UNIPC = {
  description: "skips far, without noise; corrects each step by the next evaluation",
  steps: 20,
  options: { ...SPACING, ...ORDER },
  along: unipcMoves,
  moves: onPath<SkippingSettings & OrderSettings>(unipcMoves),
} as const satisfies SamplerRecord;

/** What can be chosen of it. */
export interface UnipcSettings {
  readonly order: number;
  readonly predicted?: Predicted;
  /** B of the module. */
  readonly scale?: "bh1" | "bh2";
  /** Whether the order falls towards the end; unless given, where that is clean or steps are few. */
  readonly lowerAtEnd?: boolean;
  /** Steps whose result is not corrected. */
  readonly uncorrected?: readonly number[];
}

/** Steps below which the last ones are of lower order. */
const FEW_STEPS = 15;

/** The register of the image that the last step began with, corrected. */
const BEGUN = 0;

/** The steps along a path. */
export function unipcMoves(path: Path, settings: UnipcSettings): SamplerStep[] {
  const { order, predicted = "data", uncorrected = [] } = settings;
  const { stops, end } = path, depth = order + 1;
  const { lowerAtEnd = end.noise === 0 || stops.length < FEW_STEPS } = settings;
  const orderAt = (i: number) => Math.min(order, i + 1, lowerAtEnd ? stops.length - i : order);
  return stops.map((stop, i) => {
    const { prediction, keep } = historyAt(path, stop, { predicted, depth, seen: i, first: 1 });
    let image = IMAGE;
    if (i > 0 && !uncorrected.includes(i - 1)) {
      const corrected = { order: orderAt(i - 1), at: i - 1, last: 1, corrects: true };
      const step = stepOf(path, { ...corrected, to: stop }, settings);
      image = stepShares(step, kept(BEGUN), prediction);
    }
    const predicting = { order: orderAt(i), at: i, last: 0, corrects: false };
    const step = stepOf(path, { ...predicting, to: nextOf(path, i) }, settings);
    return evaluate(path, stop, {
      to: nextOf(path, i).level,
      image: stepShares(step, image, prediction),
      keep: [image, ...keep],
    });
  });
}

/** Coefficients: of the image, and of predictions by how long ago they were made. */
interface Step {
  readonly image: number;
  readonly predictions: ReadonlyMap<number, number>;
}

function stepShares(step: Step, image: Shares, prediction: (ago: number) => Shares): Shares {
  const terms = [...step.predictions].map(([ago, share]): Weighted => [share, prediction(ago)]);
  return combine([step.image, image], ...terms);
}

/**
 * A step from stop `at`.
 *
 * @param of `last`: how long ago the prediction at that stop was made; `corrects`: whether the
 *   prediction at hand, where it leads, is used.
 */
function stepOf(
  { stops }: Path,
  { order, at, last, corrects, to }: {
    readonly order: number;
    readonly at: number;
    readonly last: number;
    readonly corrects: boolean;
    readonly to: NumberedLevel;
  },
  { predicted = "data", scale = "bh2" }: UnipcSettings,
): Step {
  const from = stops[at]!, start = lambdaOf(from), h = lambdaOf(to) - start;
  const data = predicted === "data";
  const signed = data ? -h : h, grow = Math.expm1(signed);
  const size = data ? to.signal : to.noise;
  const image = data ? to.noise / from.noise : to.signal / from.signal;
  const predictions = new Map<number, number>();
  const add = (ago: number, share: number) =>
    predictions.set(ago, (predictions.get(ago) ?? 0) + share);
  // Without an infinite h at the end.
  add(last, data ? to.signal - from.signal * image : -size * grow);
  const places: number[] = [], agos: number[] = [];
  for (let j = 1; j < order; j++) {
    places.push((lambdaOf(stops[at - j]!) - start) / h);
    agos.push(last + j);
  }
  if (corrects) {
    places.push(1);
    agos.push(0);
  }
  if (places.length === 0) return { image, predictions };
  const b = scale === "bh1" ? signed : grow;
  const weights = solveWeights(places, signed, b);
  weights.forEach((weight, j) => {
    const share = -size * b * weight / places[j]!;
    add(agos[j]!, share);
    add(last, -share);
  });
  return { image, predictions };
}

/** The rho of the module, for places r_j; one alone is 1/2 whatever h, as the paper has it. */
function solveWeights(places: readonly number[], h: number, b: number): number[] {
  if (places.length === 1) return [1 / 2];
  let phi = Math.expm1(h) / h - 1, factorial = 1;
  const rows = places.map((_, k) => {
    const row = [...places.map((place) => place ** k), phi * factorial / b];
    factorial *= k + 2;
    phi = phi / h - 1 / factorial;
    return row;
  });
  return solveLinear(rows);
}

/** The solution of rows `[a_1, ..., a_n, b]`, by elimination with the largest pivots. */
function solveLinear(rows: number[][]): number[] {
  const count = rows.length;
  for (let k = 0; k < count; k++) {
    const pivot = rows.slice(k).reduce((best, row) =>
      Math.abs(row[k]!) > Math.abs(best[k]!) ? row : best
    );
    rows.splice(rows.indexOf(pivot), 1);
    rows.splice(k, 0, pivot);
    for (const row of rows.slice(k + 1)) {
      const factor = row[k]! / pivot[k]!;
      for (let j = k; j <= count; j++) row[j]! -= factor * pivot[j]!;
    }
  }
  const found = new Array<number>(count).fill(0);
  for (let k = count - 1; k >= 0; k--) {
    const row = rows[k]!;
    const rest = found.reduce((sum, value, j) => j > k ? sum + value * row[j]! : sum, 0);
    found[k] = (row[count]! - rest) / row[k]!;
  }
  return found;
}
