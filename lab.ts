/**
 * Diffract with data sets, files and runs: a diffusion model in fifteen lines, in Deno.
 *
 * What runs in a web page too is in `@diffract/diffract`.
 *
 * @example Train a small network on made-up shapes, draw images, save and load
 * ```ts
 * import { createRun, loadRun } from "@diffract/diffract/lab";
 *
 * using run = await createRun({ train: { steps: 20 } });
 * for await (const { step, loss } of run.trainSteps({ every: 10 })) console.log(step, loss);
 * const images = await run.sample({ count: 4, sampler: "ddim", steps: 10 });
 * const folder = await Deno.makeTempDir();
 * await images.grid().save(`${folder}/images.png`);
 * await run.save(`${folder}/model.safetensors`);
 * using again = await loadRun(`${folder}/model.safetensors`);
 * const same = await again.sample({ count: 4, sampler: "ddim", steps: 10 });
 * if (`${same.images}` !== `${images.images}`) throw new Error("A loaded run draws other images");
 * ```
 *
 * @module
 */
export type { SamplerValues } from "./commands/shared/load_sampler.ts";
export type { Config } from "./config/schema.ts";
export type { ImageSet, Latents, RawImages, Split } from "./data/dataset.ts";
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
  Run,
  type RunContext,
} from "./lab/run.ts";
export {
  type DataSettings,
  DEFAULTS,
  type Duration,
  type Partly,
  type Settings,
  type Timed,
} from "./lab/settings.ts";
export type { TrainingStep, TrainOptions } from "./lab/train.ts";
