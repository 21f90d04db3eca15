/**
 * Whose features judge.
 *
 * @module
 */
import type { ImageSet } from "../../../data/dataset.ts";
import type { DataOptions } from "../../../data/options.ts";
import type { Gpu } from "../../../device/gpu.ts";
import type { FeatureExtractor } from "../../../metrics/judges/features/features.ts";
import type { FeaturesName } from "../../../metrics/judges/options.ts";
import { UsageError } from "../../../support/errors.ts";
import { loadImages } from "../../../data/registry.ts";
import { ownFeatures } from "../classifiers.ts";
import { loadDinoV2 } from "./dinov2.ts";
import { hasInception, loadInception } from "./inception.ts";

/** What the choice depends on. */
export interface ExtractorChoice {
  readonly features: FeaturesName;
  /** A file of Inception's weights. */
  readonly inceptionWeights?: string | undefined;
  /** A file of DINOv2's weights. */
  readonly dinov2Weights?: string | undefined;
  /** Training images and their options, for a classifier of them; null where there are none. */
  readonly own: { readonly images: ImageSet; readonly data: DataOptions } | null;
  readonly say: (line: string) => void;
}

/**
 * The features that were asked for; `auto` takes those of the network whose weights are given, else
 * Inception's where its weights are in the cache, else those of the data set's own classifier.
 *
 * Where a run keeps some classes, it is judged by the classifier of all.
 *
 * @throws {UsageError} When our own are asked for and there is no data set with classes, or weights are
 *   given that are not of these features.
 */
export async function chooseExtractor(
  gpu: Gpu,
  { features, inceptionWeights, dinov2Weights, own, say }: ExtractorChoice,
): Promise<FeatureExtractor> {
  checkWeights(features, { inceptionWeights, dinov2Weights });
  if (features === "dinov2" || dinov2Weights !== undefined) {
    return await loadDinoV2(gpu, dinov2Weights, say);
  }
  const inception = features === "inception" || features === "clean" ||
    (features === "auto" && (inceptionWeights !== undefined || await hasInception()));
  if (inception) {
    return await loadInception(
      gpu,
      inceptionWeights,
      say,
      features === "clean" ? "clean" : "tensorflow",
    );
  }
  if (!own) {
    throw new UsageError(
      "Cannot use own features: the reference must be a data set with classes, it is none; name " +
        "one, or take features inception",
    );
  }
  const { images, data } = await ofAllClasses(own, say);
  return await ownFeatures(gpu, images, data, { say });
}

/** Refuses weights that would not be used. */
function checkWeights(
  features: FeaturesName,
  { inceptionWeights, dinov2Weights }: Pick<ExtractorChoice, "inceptionWeights" | "dinov2Weights">,
): void {
  const unused = (weights: string | undefined, ...whose: FeaturesName[]) =>
    weights !== undefined && features !== "auto" && !whose.includes(features);
  const option = unused(inceptionWeights, "inception", "clean")
    ? "--inception-weights"
    : unused(dinov2Weights, "dinov2")
    ? "--dinov2-weights"
    : null;
  if (option !== null) throw new UsageError(`Cannot use ${option} with --features ${features}`);
  if (inceptionWeights === undefined || dinov2Weights === undefined) return;
  throw new UsageError("Cannot use --inception-weights with --dinov2-weights: give one of them");
}

/** A set with the classes that its options leave out. */
async function ofAllClasses(
  own: NonNullable<ExtractorChoice["own"]>,
  say: (line: string) => void,
): Promise<NonNullable<ExtractorChoice["own"]>> {
  if (own.data.classes === null) return own;
  const data = { ...own.data, classes: null };
  return { images: await loadImages(data, "train", say), data };
}
