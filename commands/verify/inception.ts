/**
 * The family inception: features of a few images by the network that distances use, with weights made
 * from a hash of their names, and what each stage gives on the way.
 *
 * @module
 */
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { crc32 } from "../../formats/zip.ts";
import { createInception, fillBatch } from "../../metrics/judges/features/inception.ts";
import {
  CLASSES,
  CLASSIFIER,
  POOL_FEATURES,
} from "../../metrics/judges/features/inception_layers.ts";
import {
  inceptionWeights,
  type StateTensor,
} from "../../metrics/judges/features/inception_weights.ts";
import {
  budgetOf,
  type CaseResult,
  Comparison,
  type GoldenFile,
  maxAbs,
  type Recorded,
  replay,
  unsupported,
} from "./golden.ts";
import { fromTorch, IMAGE } from "./layout.ts";

const FAMILY = "inception";

/** Relative budget of what stages give. */
const STAGE_BUDGET = 1e-5;

/** Recorded names of stages, where they are not the layer's own. */
const STAGE_NAMES: Readonly<Record<string, string>> = {
  input_resized_0_1: "resized",
  input_normalised: "normalised",
  block0_maxpool1_64: "maxpool1",
  block1_maxpool2_192: "maxpool2",
  block2_768: "Mixed_6e",
  block3_pool_2048: "pool",
};

/** A stage's output in the manifest, in PyTorch's layout. */
interface Stage {
  readonly name: string;
  readonly shape: readonly [n: number, c: number, h: number, w: number];
  readonly mean: number;
  readonly std_population: number;
  readonly absmax: number;
  readonly zero_fraction: number;
}

/** What is recorded of a tensor of weights. */
interface SpotCheck {
  readonly shape: readonly number[];
  readonly crc32: number;
  readonly first4: readonly number[];
  readonly last: number;
  readonly sum_f64: number;
  readonly sumabs_f64: number;
}

/** Replays the family. */
export async function* verifyInception(gpu: Gpu, golden: GoldenFile): AsyncGenerator<CaseResult> {
  const { manifest } = golden;
  const state = new Map<string, StateTensor>();
  for (const [name, shape] of Object.entries(manifest.state_dict as Record<string, number[]>)) {
    if (name.endsWith("num_batches_tracked")) continue;
    state.set(name, hashedTensor(name, shape, manifest.salt as number));
  }
  const weights = { case: "weights", family: FAMILY, op: "weights" };
  yield* replay(weights, () => verifyWeights(golden, state));
  const { data, shape } = fromTorch(golden.get("images_u8"), IMAGE);
  const [count = 0, height = 0, width = 0, channels = 0] = shape;
  const inception = createInception(gpu, inceptionWeights(state), { microBatch: count });
  const capture = new Capture(gpu, "Inception");
  const taps = new Map<string, TensorRef>();
  inception.capture(capture, height, width, (name, tensor) => {
    taps.set(name, capture.keep(tensor));
  });
  const program = await capture.plan();
  const images = { images: Uint8Array.from(data), count, height, width, channels };
  const batch = new Float32Array(data.length);
  fillBatch(batch, images, 0, count);
  program.run({ images: batch });
  for (const stage of manifest.intermediate as Stage[]) {
    const tensor = taps.get(STAGE_NAMES[stage.name] ?? stage.name);
    const name = { case: stage.name, family: FAMILY, op: "stage" };
    if (!tensor) yield unsupported(name, `stage ${stage.name} is not known`);
    else {
      yield* replay(name, async () => verifyStage(golden, stage, await program.readF32(tensor)));
    }
  }
  const results: Record<string, Float32Array> = {};
  for (const name of ["pool", "logits", "probabilities"]) {
    results[name] = await program.readF32(taps.get(name)!);
  }
  const scores = { case: "features", family: FAMILY, op: "features" };
  yield* replay(scores, () => verifyResults(golden, state, results));
  program.destroy();
  // The program that users run shares memory between stages; the last image needs a second batch.
  const repeated = Uint8Array.from([...data, ...data.subarray(0, data.length / count)]);
  const features = await inception.features({ ...images, images: repeated, count: count + 1 });
  const comparison = new Comparison("micro_batches", FAMILY, "features");
  comparison.check("pool", features.pool, repeatFirst(results.pool!, count), 0);
  const probabilities = repeatFirst(results.probabilities!, count);
  comparison.check("probabilities", features.probabilities, probabilities, 0);
  yield comparison.result();
  inception.destroy();
}

/** Rows of `count` images, then the first image's row once more. */
function repeatFirst(rows: Float32Array, count: number): number[] {
  return [...rows, ...rows.subarray(0, rows.length / count)];
}

/**
 * A tensor of the recipe in the manifest.
 *
 * @param value What is made of numbers in [0, 1); by the tensor's kind unless given.
 */
export function hashedTensor(
  name: string,
  shape: readonly number[],
  salt: number,
  value = valueOf(name, shape),
): StateTensor {
  const data = new Float32Array(shape.reduce((a, b) => a * b, 1));
  const base = crc32(new TextEncoder().encode(name)) ^ salt;
  for (let i = 0; i < data.length; i++) {
    let h = base + Math.imul(i, 0x9e3779b9) | 0;
    h = Math.imul(h ^ (h >>> 16), 0x85ebca6b);
    h = Math.imul(h ^ (h >>> 13), 0xc2b2ae35);
    data[i] = value(((h ^ (h >>> 16)) >>> 0) / 2 ** 32);
  }
  return { shape, data };
}

/** From a number in [0, 1) to a weight, by the tensor's kind. */
function valueOf(name: string, shape: readonly number[]): (u: number) => number {
  // A pixel of what doubles the resolution sees a quarter of its kernel.
  const fanIn = /^up\d+\.weight$/.test(name)
    ? 4 * shape[0]!
    : /\.conv\.weight$|^conv_out\.weight$|^te\w+\.[02]\.weight$|^net\.slice[\d.]+weight$/.test(name)
    ? shape.slice(1).reduce((a, b) => a * b, 1)
    : undefined;
  if (fanIn !== undefined) {
    const limit = Math.sqrt(6 / fanIn);
    return (u) => (2 * u - 1) * limit;
  }
  if (/^lin\d\.model/.test(name)) return (u) => 0.2 * u;
  if (name.endsWith(".bn.weight")) return (u) => 1 + 0.2 * (2 * u - 1);
  if (name.endsWith(".running_var")) return (u) => 1 + 0.5 * u;
  if (name === CLASSIFIER) return (u) => (2 * u - 1) * 0.05;
  return (u) => (2 * u - 1) * 0.1;
}

function verifyWeights(golden: GoldenFile, state: ReadonlyMap<string, StateTensor>): CaseResult {
  const comparison = new Comparison("weights", FAMILY, "weights");
  const checks = golden.manifest.weight_spot_checks as Record<string, SpotCheck>;
  for (const [name, check] of Object.entries(checks)) {
    const values = Array.from(state.get(name)?.data ?? []);
    comparison.check(name, values.slice(0, 4), check.first4, 0);
    comparison.check(name, values.slice(-1), [check.last], 0);
    const sums = [values.reduce((a, b) => a + b, 0), values.reduce((a, b) => a + Math.abs(b), 0)];
    // Exact but for the order of the summation.
    const expected = [check.sum_f64, check.sumabs_f64];
    comparison.check(name, sums, expected, 1e-12 * check.sumabs_f64);
  }
  return comparison.result();
}

/** Statistics and a slice of a stage's output. */
function verifyStage(golden: GoldenFile, stage: Stage, actual: Float32Array): CaseResult {
  const comparison = new Comparison(stage.name, FAMILY, "stage");
  const { length } = actual;
  let sum = 0, most = 0, zeros = 0, squares = 0;
  for (const value of actual) {
    sum += value;
    if (value === 0) zeros++;
    if (!(Math.abs(value) <= most)) most = Math.abs(value);
  }
  const mean = sum / length;
  for (const value of actual) squares += (value - mean) ** 2;
  const statistic = (name: string, value: number, expected: number, least = 0) =>
    comparison.check(name, [value], [expected], Math.max(STAGE_BUDGET * Math.abs(expected), least));
  statistic("mean", mean, stage.mean);
  statistic("std", Math.sqrt(squares / length), stage.std_population);
  statistic("absmax", most, stage.absmax);
  // A count: where it is small, one element more or less is all that it can differ by.
  statistic("zeros", zeros / length, stage.zero_fraction, 1 / length);
  const slice = golden.has(`slice/${stage.name}`) ? golden.get(`slice/${stage.name}`).data : [];
  const picked = Array.from(slice, (_, j) => {
    return actual[ourIndex(Math.floor(j * length / slice.length), stage.shape)]!;
  });
  comparison.check("slice", picked, slice, STAGE_BUDGET * maxAbs(slice));
  return comparison.result();
}

/** Index in `[n, h, w, c]` of an index in `[n, c, h, w]`. */
function ourIndex(index: number, [, c, h, w]: Stage["shape"]): number {
  const pixel = index % (h * w);
  const channel = Math.floor(index / (h * w)) % c;
  return (Math.floor(index / (c * h * w)) * h * w + pixel) * c + channel;
}

/** Features, scores and probabilities, held to PyTorch's own error. */
function verifyResults(
  golden: GoldenFile,
  state: ReadonlyMap<string, StateTensor>,
  { pool, logits, probabilities }: Readonly<Record<string, Float32Array>>,
): CaseResult {
  const comparison = new Comparison("features", FAMILY, "features");
  const check = (name: string, actual: ArrayLike<number>, e: number, expected: Recorded) =>
    comparison.check(name, actual, expected.data, budgetOf(e, maxAbs(expected.data)));
  const e = golden.manifest.max_abs_f32_vs_f64_pool_features as number;
  const recorded = (name: string) => golden.get(name);
  check("pool_features", pool!, e, recorded("pool_features"));
  // The errors of scores are not recorded, but follow from the features in f64.
  const exact = exactScores(recorded("pool_features_f64").data, state.get(CLASSIFIER)!.data);
  for (
    const [name, actual, values] of [
      ["logits_no_bias", logits!, exact.logits],
      ["probs_no_bias", probabilities!, exact.probabilities],
    ] as const
  ) {
    const { data } = recorded(name);
    check(name, actual, maxAbs(values.map((value, i) => value - data[i]!)), recorded(name));
  }
  return comparison.result();
}

function exactScores(features: ArrayLike<number>, classifier: ArrayLike<number>) {
  const logits: number[] = [], probabilities: number[] = [];
  for (let image = 0; image < features.length; image += POOL_FEATURES) {
    const scores = Array.from({ length: CLASSES }, (_, c) => {
      let sum = 0;
      for (let f = 0; f < POOL_FEATURES; f++) {
        sum += features[image + f]! * classifier[c * POOL_FEATURES + f]!;
      }
      return sum;
    });
    const most = Math.max(...scores);
    const total = scores.reduce((sum, score) => sum + Math.exp(score - most), 0);
    logits.push(...scores);
    probabilities.push(...scores.map((score) => Math.exp(score - most) / total));
  }
  return { logits, probabilities };
}
