/**
 * The family metrics: outlier scores, the manifolds of features, and kernel distances.
 *
 * @module
 */
import {
  type FeatureSet,
  meanOfBlocks,
  pickRows,
  squaredDiscrepancy,
} from "../../metrics/judges/kid.ts";
import { manifoldMetrics, squaredRadii } from "../../metrics/judges/precision_recall.ts";
import { averagePrecision, rocCurve, type RocPoint, separation } from "../../metrics/judges/roc.ts";
import { checkTable } from "./feature_checks.ts";
import {
  type CaseResult,
  Comparison,
  type GoldenFile,
  replay,
  Unsupported,
  unsupported,
} from "./golden.ts";

const FAMILY = "metrics";

/** Numbers of a case in the manifest. */
type Numbers = Readonly<Record<string, number>>;

/** What replays a case of each part of the manifest. */
const PARTS: Readonly<
  Record<string, (golden: GoldenFile, key: string, recorded: Numbers) => CaseResult>
> = {
  auroc: verifyScores,
  prdc: verifyManifolds,
  kid: verifyKernels,
};

/** What a manifest has beside its parts. */
const OTHERS = ["file", "split", "what", "tensors"];

/** Replays the family. */
export async function* verifyMetrics(golden: GoldenFile): AsyncGenerator<CaseResult> {
  for (const [part, cases] of Object.entries(golden.manifest)) {
    if (OTHERS.includes(part)) continue;
    const verify = PARTS[part];
    if (!verify) {
      yield unsupported({ case: part, family: FAMILY, op: part }, `${part} is not known`);
    }
    for (const [key, recorded] of verify ? Object.entries(cases as Record<string, Numbers>) : []) {
      const name = { case: `${part}/${key}`, family: FAMILY, op: part };
      yield* replay(name, () => verify!(golden, key, recorded));
    }
  }
}

/** Compares what is recorded of a case, by name; a number with another name is not known. */
function checkNumbers(comparison: Comparison, recorded: Numbers, known: Numbers, floor = 0): void {
  for (const [name, value] of Object.entries(recorded)) {
    const ours = known[name];
    if (ours === undefined) throw new Unsupported(`${name} is not known`);
    checkTable(comparison, name, [ours], [value ?? NaN], floor);
  }
}

function verifyScores(golden: GoldenFile, key: string, recorded: Numbers): CaseResult {
  const comparison = new Comparison(`auroc/${key}`, FAMILY, "auroc");
  const path = `roc/${key}`;
  const inliers = golden.get(`${path}/in_scores`).data;
  const outliers = golden.get(`${path}/out_scores`).data;
  const { auroc, fpr95 } = separation(inliers, outliers);
  const curve = corners(rocCurve(inliers, outliers));
  // The error rate at the first corner of the curve: the one before may be on a side of it.
  const enough = curve.find(({ found }) => found >= 0.95 * outliers.length)!;
  checkNumbers(comparison, recorded, {
    ...{ auroc_sklearn: auroc, auroc_mann_whitney: auroc, fpr95_no_drop_intermediate: fpr95 },
    fpr95: enough.mistaken / inliers.length,
    aupr_average_precision: averagePrecision(inliers, outliers),
    ...{ n_in: inliers.length, n_out: outliers.length },
  });
  const check = (tensor: string, values: number[]) =>
    checkTable(comparison, tensor, values, golden.get(`${path}/${tensor}`).data);
  check("thresholds_after_first", curve.map(({ threshold }) => threshold));
  check("fpr", [0, ...curve.map(({ mistaken }) => mistaken / inliers.length)]);
  check("tpr", [0, ...curve.map(({ found }) => found / outliers.length)]);
  return comparison.result();
}

/** Points of a curve without those that lie half-way between their neighbours, as it is recorded. */
function corners(points: readonly RocPoint[]): RocPoint[] {
  return points.filter((point, i) => {
    const before = points[i - 1], after = points[i + 1];
    if (!before || !after) return true;
    return before.found + after.found !== 2 * point.found ||
      before.mistaken + after.mistaken !== 2 * point.mistaken;
  });
}

/** Features of a case. */
function features(golden: GoldenFile, name: string): FeatureSet {
  return { dimension: golden.get(name).shape[1]!, rows: Float64Array.from(golden.get(name).data) };
}

function verifyManifolds(golden: GoldenFile, key: string, recorded: Numbers): CaseResult {
  const comparison = new Comparison(`prdc/${key}`, FAMILY, "prdc");
  const [, set, digits] = /^(.+)\/k(\d+)$/.exec(key) ?? [];
  if (set === undefined) throw new Unsupported(`${key} is not known`);
  const k = Number(digits);
  const real = features(golden, `prdc/${set}/real`), fake = features(golden, `prdc/${set}/fake`);
  const made = manifoldMetrics(real, fake, { manifold: k, density: k });
  // The border belongs to a ball here; nothing recorded lies on one.
  const { smallest_relative_margin: margin = 0, ...numbers } = recorded;
  if (margin < 1e-9) throw new Unsupported("features on the border of a ball are not known");
  const { precision, recall } = made;
  checkNumbers(comparison, numbers, { ...made, precision_le: precision, recall_le: recall });
  for (const [side, rows] of [["real", real], ["fake", fake]] as const) {
    const radii = squaredRadii(rows, [k])[0]!.map(Math.sqrt);
    const name = `prdc/${set}/radii_${side}_k${k}`;
    checkTable(comparison, `radii_${side}`, radii, golden.get(name).data);
  }
  return comparison.result();
}

function verifyKernels(golden: GoldenFile, key: string, recorded: Numbers): CaseResult {
  const comparison = new Comparison(`kid/${key}`, FAMILY, "kid");
  const real = features(golden, `prdc/${key}/real`), fake = features(golden, `prdc/${key}/fake`);
  const { block_size: size = 0 } = recorded;
  const sides = [["real", real], ["fake", fake]] as const;
  const subsets = golden.get(`kid/${key}/idx_real`).shape[0]!;
  const drawn = Array.from({ length: subsets }, (_, block) => {
    const [x, y] = sides.map(([side, rows]) => {
      const { data, shape: [, length = 0] } = golden.get(`kid/${key}/idx_${side}`);
      return pickRows(rows, Uint32Array.from({ length }, (_, i) => data[block * length + i]!));
    });
    return squaredDiscrepancy(x!, y!).unbiased;
  });
  const blocks = Math.floor(
    Math.min(...sides.map(([, set]) => set.rows.length / set.dimension)) / size,
  );
  const contiguous = Array.from({ length: blocks }, (_, block) => {
    const order = Uint32Array.from({ length: size }, (_, i) => block * size + i);
    return squaredDiscrepancy(pickRows(real, order), pickRows(fake, order)).unbiased;
  });
  // Differences of means of kernels, which are of the size of 1.
  const check = (tensor: string, values: number[]) =>
    checkTable(comparison, tensor, values, golden.get(`kid/${key}/${tensor}`).data, 1);
  check("blocks", drawn);
  check("contiguous_blocks", contiguous);
  const all = squaredDiscrepancy(real, fake), apart = meanOfBlocks(contiguous);
  const spread = (standardError: number | null, count: number) =>
    (standardError ?? 0) * Math.sqrt(count - 1);
  const subset = meanOfBlocks(drawn);
  checkNumbers(comparison, recorded, {
    ...{ unbiased_all: all.unbiased, biased_all: all.biased, block_size: size },
    subsets_mean: subset.distance,
    subsets_std_ddof0: spread(subset.standardError, subsets),
    contiguous_mean: apart.distance,
    contiguous_std_ddof0: spread(apart.standardError, blocks),
    contiguous_stderr_ddof1: apart.standardError ?? NaN,
  }, 1);
  return comparison.result();
}
