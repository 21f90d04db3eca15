/**
 * Diffract with data sets, files and runs: a diffusion model in fifteen lines, in Deno.
 *
 * What runs in a web page too is in `@diffract/diffract`.
 *
 * @example Make a data set of pixels at hand, and look at it
 * ```ts
 * import { dataOf, showSet } from "@diffract/diffract/lab";
 *
 * const images = Uint8Array.from({ length: 4 * 8 * 8 }, (_, i) => i);
 * const set = dataOf({ images, count: 4, height: 8, width: 8, channels: 1 });
 * const { png } = showSet(set);
 * if (png[1] !== 0x50) throw new Error("A picture must be a PNG");
 * // await createRun({ data: set, train: { steps: 1000 } }) learns from it.
 * ```
 *
 * @module
 */
export type { SamplerValues } from "./commands/shared/load_sampler.ts";
export type { Config } from "./config/schema.ts";
export type { BucketSize } from "./data/buckets.ts";
export type { RowFile } from "./data/fetching/stored_rows.ts";
export type {
  Buckets,
  ImageSet,
  Labels,
  Latents,
  RawImages,
  Split,
  StoredRows,
} from "./data/dataset.ts";
export type { DataOptions } from "./data/options.ts";
export type { SamplerName } from "./diffusion/options.ts";
export type { FeatureExtractor, Features } from "./metrics/judges/features/features.ts";
export type { Metric } from "./metrics/judges/metric.ts";
export type { MetricName } from "./metrics/judges/options.ts";
export type { Statistics } from "./metrics/judges/statistics_file.ts";
export type { LogEvent } from "./training/log.ts";
export type { Observation } from "./training/observer.ts";
export {
  dataOf,
  type Dataset,
  type GivenPixels,
  loadData,
  type LoadOptions,
  ofClass,
} from "./lab/datasets.ts";
export type { DrawOptions, SamplingStep } from "./lab/draw.ts";
export { sharedGpu } from "./lab/gpu.ts";
export {
  evaluate,
  type FeaturesChoice,
  type JudgingOptions,
  loadFeatures,
  statistics,
} from "./lab/judging.ts";
export { Images, Picture, showSet } from "./lab/pictures.ts";
export {
  createRun,
  type LoadedFrom,
  loadRun,
  type NewRun,
  type RunContext,
} from "./lab/create_run.ts";
export { Run } from "./lab/run.ts";
export {
  type DataSettings,
  DEFAULTS,
  type Duration,
  type Partly,
  type Settings,
  type Timed,
} from "./lab/settings.ts";
export type { TrainingStep, TrainOptions } from "./lab/train.ts";
