/**
 * The family fid: moments, Frechet distances, kernel distances and Inception Scores of recorded
 * features and probabilities. They run on the host in f64, so budgets are those of f64 formulas.
 *
 * @module
 */
import { readNpz } from "../../formats/npy.ts";
import { frechetDistance } from "../../metrics/numerics/frechet.ts";
import { InceptionScorer } from "../../metrics/judges/inception_score.ts";
import { type FeatureSet, squaredDiscrepancy } from "../../metrics/judges/kid.ts";
import { type Gaussian, Moments } from "../../metrics/numerics/moments.ts";
import { UsageError } from "../../support/errors.ts";
import { readFileChecked } from "../../support/files.ts";
import { type CaseResult, Comparison, maxAbs } from "./golden.ts";

/** Relative budgets: of formulas, and of distances, where small eigenvalues take roots of rounding. */
const FORMULA = 1e-12, DISTANCE = 1e-6;

interface FidCase {
  readonly name: string;
  readonly files: readonly string[];
  readonly frechet_repo_sqrtm: number;
  readonly frechet_eigh: number;
  readonly frechet_self: number;
  readonly parts: Readonly<Record<"min_eig_s1" | "tr_sqrt" | "d2", number>>;
}

interface KidCase {
  readonly from: string;
  readonly kid_unbiased_mmd2: number;
  readonly mmd2_biased: number;
}

interface ScoreCase {
  readonly file: string;
  readonly splits: number;
  readonly mean: number;
  readonly std_population: number;
  readonly std_sample: number;
  readonly per_split: readonly number[];
  readonly splits7: { readonly mean: number; readonly std_population: number };
}

interface FidManifest {
  readonly fid: readonly FidCase[];
  readonly kid: readonly KidCase[];
  readonly inception_score: readonly ScoreCase[];
}

/** Where a folder keeps the family's index. */
export const FID_INDEX = "fid/fid.json";

/** Replays every case of the family. */
export async function* verifyFid(folder: string): AsyncGenerator<CaseResult> {
  const { fid, kid, inception_score: scores } = await reading(
    FID_INDEX,
    async () =>
      JSON.parse(
        new TextDecoder().decode(await readFileChecked(`${folder}/${FID_INDEX}`)),
      ) as FidManifest,
  );
  const arrays = (file: string) =>
    reading(
      `fid/${file}`,
      async () => new Arrays(file, readNpz(await readFileChecked(`${folder}/fid/${file}`))),
    );
  for (const entry of fid) yield verifyDistance(entry, await arrays(entry.files[0] ?? ""));
  for (const entry of kid) yield verifyKernelDistance(entry, await arrays(entry.from));
  for (const entry of scores) yield verifyScore(entry, await arrays(entry.file));
}

async function reading<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`Cannot verify ${file}: ${reason}`);
  }
}

/** The arrays of one .npz. */
class Arrays {
  constructor(
    private readonly file: string,
    private readonly arrays: ReturnType<typeof readNpz>,
  ) {}

  get(name: string): Float64Array {
    const array = this.arrays.get(name);
    if (!array) throw new UsageError(`Cannot verify: array ${name} must be in ${this.file}`);
    return Float64Array.from(array.data as Float64Array);
  }

  /** An array of rows. */
  rows(name: string): FeatureSet {
    const rows = this.get(name);
    return { rows, dimension: this.arrays.get(name)?.shape[1] ?? 0 };
  }

  gaussian(side: 1 | 2): Gaussian {
    const mean = this.get(`mu${side}`);
    return { dimension: mean.length, mean, covariance: this.get(`sigma${side}`) };
  }
}

function verifyDistance(entry: FidCase, arrays: Arrays): CaseResult {
  const comparison = new Comparison(entry.name, "fid", "frechet");
  const gaussians = [arrays.gaussian(1), arrays.gaussian(2)] as const;
  (["x", "y"] as const).forEach((name, i) => {
    const { rows, dimension } = arrays.rows(name);
    const moments = new Moments(dimension);
    // In uneven batches, as they would stream by.
    for (let at = 0, n = 1; at < rows.length; at += n * dimension, n += 13) {
      moments.add(rows.subarray(at, at + n * dimension));
    }
    const { mean, covariance } = gaussians[i]!;
    comparison.check(`mu${i + 1}`, moments.mean, mean, FORMULA * maxAbs(mean));
    const sigma = moments.covariance();
    comparison.check(`sigma${i + 1}`, sigma, covariance, FORMULA * maxAbs(covariance));
  });
  const result = frechetDistance(...gaussians);
  const near = (name: string, actual: number, expected: number, share: number) =>
    comparison.check(name, [actual], [expected], share * Math.abs(expected));
  near("frechet_eigh", result.distance, entry.frechet_eigh, DISTANCE);
  // The product of singular matrices has no stable square root: scipy's own is off by more there.
  if (result.fullRank) {
    near("frechet_repo_sqrtm", result.distance, entry.frechet_repo_sqrtm, DISTANCE);
  }
  near("tr_sqrt", result.traceRoot, entry.parts.tr_sqrt, DISTANCE);
  near("d2", result.meanTerm, entry.parts.d2, FORMULA);
  const deficient = entry.parts.min_eig_s1 < FORMULA;
  const rankFits = result.fullRank === !deficient;
  comparison.note("rank", rankFits ? 0 : 1, 0, rankFits);
  const self = frechetDistance(gaussians[0], gaussians[0]).distance;
  comparison.check("frechet_self", [self], [entry.frechet_self], DISTANCE * entry.frechet_eigh);
  return comparison.result();
}

function verifyKernelDistance(entry: KidCase, arrays: Arrays): CaseResult {
  const comparison = new Comparison(`kid_${entry.from.replace(/\.npz$/, "")}`, "fid", "kid");
  const { unbiased, biased } = squaredDiscrepancy(arrays.rows("x"), arrays.rows("y"));
  // Kernels are of the order of 1, and their sums are what rounds.
  comparison.check("kid_unbiased_mmd2", [unbiased], [entry.kid_unbiased_mmd2], FORMULA);
  comparison.check("mmd2_biased", [biased], [entry.mmd2_biased], FORMULA);
  return comparison.result();
}

function verifyScore(entry: ScoreCase, arrays: Arrays): CaseResult {
  const comparison = new Comparison(entry.file.replace(/\.npz$/, ""), "fid", "inception_score");
  const { rows, dimension } = arrays.rows("probs");
  const scorer = (splits: number) => {
    const result = new InceptionScorer(rows.length / dimension, dimension, splits);
    for (let at = 0; at < rows.length; at += 37 * dimension) {
      result.add(rows.subarray(at, at + 37 * dimension));
    }
    return result;
  };
  const ten = scorer(entry.splits), seven = scorer(7).score();
  const population = ten.score(), sample = ten.score({ ddof: 1 });
  const check = (name: string, actual: readonly number[], expected: readonly number[]) =>
    comparison.check(name, actual, expected, FORMULA * entry.mean);
  check("mean", [population.mean], [entry.mean]);
  check("per_split", population.splits, entry.per_split);
  check("std_population", [population.std], [entry.std_population]);
  check("std_sample", [sample.std], [entry.std_sample]);
  check("splits7.mean", [seven.mean], [entry.splits7.mean]);
  check("splits7.std_population", [seven.std], [entry.splits7.std_population]);
  return comparison.result();
}
