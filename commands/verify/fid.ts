/**
 * The family fid: moments, Frechet distances, kernel distances and Inception Scores of recorded
 * features and probabilities. They run on the host in f64, so budgets are those of f64 formulas.
 *
 * @module
 */
import { readNpz } from "../../formats/npy.ts";
import type { StoredTensor } from "../../formats/safetensors.ts";
import { frechetDistance } from "../../metrics/numerics/frechet.ts";
import { InceptionScorer } from "../../metrics/judges/inception_score.ts";
import { type FeatureSet, squaredDiscrepancy } from "../../metrics/judges/kid.ts";
import { type Gaussian, Moments } from "../../metrics/numerics/moments.ts";
import { UsageError } from "../../support/errors.ts";
import { readFileChecked } from "../../support/files.ts";
import { type CaseResult, Comparison, maxAbs, replay, Unsupported, unsupported } from "./golden.ts";

/** Relative budgets: of formulas, and of distances, where small eigenvalues take roots of rounding. */
const FORMULA = 1e-12, DISTANCE = 1e-6;

/** Of what may be recorded of two sets of features, or of their moments, what is. */
interface FidCase {
  readonly name: string;
  readonly files: readonly string[];
  readonly frechet_repo_sqrtm?: number;
  readonly frechet_eigh?: number;
  readonly frechet_self?: number;
  readonly parts?: Readonly<Partial<Record<"min_eig_s1" | "tr_sqrt" | "d2", number>>>;
}

interface KidCase {
  readonly from: string;
  readonly kernel?: string;
  readonly kid_unbiased_mmd2?: number;
  readonly mmd2_biased?: number;
}

interface ScoreCase {
  readonly file: string;
  readonly splits: number;
  readonly mean: number;
  readonly std_population: number;
  readonly std_sample: number;
  readonly per_split: readonly number[];
  readonly splits7?: { readonly mean: number; readonly std_population: number };
}

interface FidManifest {
  readonly fid?: readonly FidCase[];
  readonly kid?: readonly KidCase[];
  readonly inception_score?: readonly ScoreCase[];
}

/** The only kernel of kernel distances here (Binkowski et al. 2018), as the recording writes it. */
const KERNEL = "(x.y/d+1)^3";

/** Where a folder keeps the family's index. */
export const FID_INDEX = "fid/fid.json";

/** Replays every case of the family. */
export async function* verifyFid(folder: string): AsyncGenerator<CaseResult> {
  const manifest = await reading(
    FID_INDEX,
    async () =>
      JSON.parse(
        new TextDecoder().decode(await readFileChecked(`${folder}/${FID_INDEX}`)),
      ) as FidManifest & Readonly<Record<string, unknown>>,
  );
  const { fid = [], kid = [], inception_score: scores = [], ...others } = manifest;
  const arrays = (...files: string[]) => Arrays.read(`${folder}/fid`, files);
  const named = (name: string, op: string) => ({ case: name, family: "fid", op });
  for (const entry of fid) {
    const name = named(entry.name, "frechet");
    yield* replay(name, async () => verifyDistance(entry, await arrays(...entry.files)));
  }
  for (const entry of kid) {
    const name = named(`kid_${entry.from.replace(/\.npz$/, "")}`, "kid");
    yield* replay(name, async () => verifyKernelDistance(entry, await arrays(entry.from)));
  }
  for (const entry of scores) {
    const name = named(entry.file.replace(/\.npz$/, ""), "inception_score");
    yield* replay(name, async () => verifyScore(entry, await arrays(entry.file)));
  }
  for (const [part, cases] of Object.entries(others)) {
    if (Array.isArray(cases)) yield unsupported(named(part, part), `${part} is not known`);
  }
}

async function reading<T>(file: string, read: () => Promise<T>): Promise<T> {
  try {
    return await read();
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`Cannot verify ${file}: ${reason}`);
  }
}

/** The arrays of one or several .npz. */
class Arrays {
  private constructor(
    private readonly files: string,
    private readonly arrays: ReadonlyMap<string, StoredTensor>,
  ) {}

  static async read(folder: string, files: readonly string[]): Promise<Arrays> {
    const arrays = new Map<string, StoredTensor>();
    for (const file of files) {
      const read = async () => readNpz(await readFileChecked(`${folder}/${file}`));
      for (const [name, array] of await reading(`fid/${file}`, read)) arrays.set(name, array);
    }
    return new Arrays(files.join(", "), arrays);
  }

  has(name: string): boolean {
    return this.arrays.has(name);
  }

  get(name: string): Float64Array {
    const array = this.arrays.get(name);
    if (!array) throw new UsageError(`Cannot verify: array ${name} must be in ${this.files}`);
    return Float64Array.from(array.data as Float64Array);
  }

  /** An array of rows. */
  rows(name: string): FeatureSet {
    const rows = this.get(name);
    return { rows, dimension: this.arrays.get(name)?.shape[1] ?? 0 };
  }

  /** Recorded moments of a side; undefined where its features alone are recorded. */
  gaussian(side: 1 | 2): Gaussian | undefined {
    if (!this.has(`mu${side}`) && !this.has(`sigma${side}`)) return undefined;
    const mean = this.get(`mu${side}`);
    return { dimension: mean.length, mean, covariance: this.get(`sigma${side}`) };
  }
}

/** A side's moments: those that are recorded, and where features are, held to those. */
function momentsOf(comparison: Comparison, arrays: Arrays, side: 1 | 2): Gaussian {
  const recorded = arrays.gaussian(side), name = side === 1 ? "x" : "y";
  if (recorded && !arrays.has(name)) return recorded;
  const { rows, dimension } = arrays.rows(name);
  const moments = new Moments(dimension);
  // In uneven batches, as they would stream by.
  for (let at = 0, n = 1; at < rows.length; at += n * dimension, n += 13) {
    moments.add(rows.subarray(at, at + n * dimension));
  }
  const own = { dimension, mean: moments.mean, covariance: moments.covariance() };
  if (!recorded) return own;
  const { mean, covariance } = recorded;
  comparison.check(`mu${side}`, own.mean, mean, FORMULA * maxAbs(mean));
  comparison.check(`sigma${side}`, own.covariance, covariance, FORMULA * maxAbs(covariance));
  return recorded;
}

function verifyDistance(entry: FidCase, arrays: Arrays): CaseResult {
  const comparison = new Comparison(entry.name, "fid", "frechet");
  const gaussians = [momentsOf(comparison, arrays, 1), momentsOf(comparison, arrays, 2)] as const;
  const result = frechetDistance(...gaussians);
  const { parts = {} } = entry;
  const near = (name: string, actual: number, expected: number | undefined, share: number) => {
    if (expected === undefined) return;
    comparison.check(name, [actual], [expected], share * Math.abs(expected));
  };
  near("frechet_eigh", result.distance, entry.frechet_eigh, DISTANCE);
  // The product of singular matrices has no stable square root: scipy's own is off by more there.
  if (result.fullRank) {
    near("frechet_repo_sqrtm", result.distance, entry.frechet_repo_sqrtm, DISTANCE);
  }
  near("tr_sqrt", result.traceRoot, parts.tr_sqrt, DISTANCE);
  near("d2", result.meanTerm, parts.d2, FORMULA);
  if (parts.min_eig_s1 !== undefined) {
    const rankFits = result.fullRank === parts.min_eig_s1 >= FORMULA;
    comparison.note("rank", rankFits ? 0 : 1, 0, rankFits);
  }
  if (entry.frechet_self !== undefined) {
    const self = frechetDistance(gaussians[0], gaussians[0]).distance;
    const size = Math.abs(entry.frechet_eigh ?? result.distance);
    comparison.check("frechet_self", [self], [entry.frechet_self], DISTANCE * size);
  }
  return comparison.result();
}

function verifyKernelDistance(entry: KidCase, arrays: Arrays): CaseResult {
  const comparison = new Comparison(`kid_${entry.from.replace(/\.npz$/, "")}`, "fid", "kid");
  if (entry.kernel !== undefined && entry.kernel !== KERNEL) {
    throw new Unsupported(`kernel ${entry.kernel} is not known`);
  }
  const { unbiased, biased } = squaredDiscrepancy(arrays.rows("x"), arrays.rows("y"));
  // Kernels are of the order of 1, and their sums are what rounds.
  const check = (name: string, actual: number, expected: number | undefined) => {
    if (expected !== undefined) comparison.check(name, [actual], [expected], FORMULA);
  };
  check("kid_unbiased_mmd2", unbiased, entry.kid_unbiased_mmd2);
  check("mmd2_biased", biased, entry.mmd2_biased);
  return comparison.result();
}

function verifyScore(entry: ScoreCase, arrays: Arrays): CaseResult {
  const comparison = new Comparison(entry.file.replace(/\.npz$/, ""), "fid", "inception_score");
  const { rows, dimension } = arrays.rows("probs");
  const scorer = (splits: number) => {
    const result = new InceptionScorer(rows.length / dimension, dimension, splits, {
      contiguous: true,
    });
    for (let at = 0; at < rows.length; at += 37 * dimension) {
      result.add(rows.subarray(at, at + 37 * dimension));
    }
    return result;
  };
  const ten = scorer(entry.splits);
  const population = ten.score(), sample = ten.score({ ddof: 1 });
  const check = (name: string, actual: readonly number[], expected: readonly number[]) =>
    comparison.check(name, actual, expected, FORMULA * entry.mean);
  check("mean", [population.mean], [entry.mean]);
  check("per_split", population.splits, entry.per_split);
  check("std_population", [population.std], [entry.std_population]);
  check("std_sample", [sample.std], [entry.std_sample]);
  if (!entry.splits7) return comparison.result();
  const seven = scorer(7).score();
  check("splits7.mean", [seven.mean], [entry.splits7.mean]);
  check("splits7.std_population", [seven.std], [entry.splits7.std_population]);
  return comparison.result();
}
