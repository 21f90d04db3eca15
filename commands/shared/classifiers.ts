/**
 * The classifier of a data set from the cache, trained now where there is none.
 *
 * @module
 */
import type { ImageSet } from "../../data/dataset.ts";
import { loadImages } from "../../data/registry.ts";
import { type DataOptions, isOpen } from "../../data/options.ts";
import type { Gpu } from "../../device/gpu.ts";
import {
  accuracyOf,
  ClassifierFeatures,
  classifierPath,
  readClassifier,
  setName,
  type StoredClassifier,
  writeClassifier,
} from "../../metrics/judges/features/classifier_features.ts";
import {
  CLASSIFIER_STEPS,
  trainClassifier,
} from "../../metrics/judges/features/classifier_training.ts";
import { UsageError } from "../../support/errors.ts";
import { counted, startProgress } from "../../support/terminal.ts";
import { byContent } from "./content_order.ts";

/** Where a classifier is to come from and to go. */
export interface ClassifierChoice {
  /** Its file; the place in the cache unless given. */
  readonly path?: string | undefined;
  /** Whether to train even where there is a file; false unless given. */
  readonly again?: boolean;
  /** Optimiser steps where it is trained. */
  readonly steps?: number | undefined;
  /** Is told of a file that is taken instead of training. */
  readonly onKept?: (path: string, stored: StoredClassifier) => void;
  /** Receives lines for a person. */
  readonly say: (line: string) => void;
}

/**
 * Features of a data set's own classifier.
 *
 * @param training The training images. Of a set that is whatever its files hold, they are taken in the
 *   order of their content: another name of a file makes no other classifier.
 * @param data Where they come from; the test images judge the classifier.
 * @throws {UsageError} When the set has no classes.
 * @throws {Error} When the file is damaged.
 */
export async function ownFeatures(
  gpu: Gpu,
  training: ImageSet,
  data: DataOptions,
  { path: given, again = false, steps, onKept, say }: ClassifierChoice,
): Promise<ClassifierFeatures> {
  const images = isOpen(data.name) ? byContent(training) : training;
  const path = given ?? classifierPath(images);
  if (!images.labels) {
    throw new UsageError(
      `Cannot use own features: the data set must have classes, ${images.name} has none; name ` +
        "another, or take features inception",
    );
  }
  if (!again && await isFile(path)) {
    const stored = await readClassifier(path);
    onKept?.(path, stored);
    return await ClassifierFeatures.create(gpu, stored);
  }
  say(`Training a classifier of ${images.name} for its features, once; it goes to ${path}`);
  const progress = startProgress({ label: "features", total: steps ?? CLASSIFIER_STEPS });
  const trained = await trainClassifier(gpu, images, {
    ...(steps === undefined ? {} : { steps }),
    onStep: (step, _, loss) => progress.update(step, `loss ${loss.toFixed(3)}`),
  });
  progress.stop();
  const named = { ...trained, set: setName(images), checksum: images.checksum };
  const features = await ClassifierFeatures.create(gpu, named);
  const test = await loadImages(data, "test", say);
  const accuracy = test.labels ? await accuracyOf(features, test) : null;
  await writeClassifier(path, { ...named, accuracy });
  say(
    accuracy === null
      ? "How good it is cannot be said: test images have no labels"
      : `It gets ${(100 * accuracy).toFixed(1)} % of the test images right`,
  );
  return features;
}

/**
 * A line for a person who asked for training and gets a classifier that is there.
 *
 * @param asked The steps that were asked for, if any were.
 */
export function describeKept(
  path: string,
  { steps, accuracy }: Pick<StoredClassifier, "steps" | "accuracy">,
  asked?: number,
): string {
  const facts: string[] = [];
  // A file may lack its steps.
  if (Number.isInteger(steps)) {
    const instead = asked === undefined || asked === steps ? "" : `, not ${asked}`;
    facts.push(`of ${counted(steps, "step")}${instead}`);
  }
  if (accuracy !== null) facts.push(`${(100 * accuracy).toFixed(1)} % of the test images right`);
  const told = facts.map((fact) => `, ${fact}`).join("");
  return `${path} is there already${told}; --again trains anew`;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}
