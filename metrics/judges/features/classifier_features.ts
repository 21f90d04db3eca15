/**
 * Features of the classifier of a data set: its file, and the classifier at work.
 *
 * The file is a safetensors file of its parameters by name, with metadata: `format`, `set` (name of
 * the data set), `checksum` (of the training images), `height`, `width`, `channels`, `classes`, `steps` and
 * `accuracy` (share of the test images that it gets right, or "").
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { Graph } from "../../../autograd/graph.ts";
import { softmax } from "../../../autograd/ops/softmax.ts";
import { cacheFolder } from "../../../data/fetching/cache.ts";
import type { ImageSet, Pixels } from "../../../data/dataset.ts";
import type { Arena } from "../../../device/arena.ts";
import { Capture } from "../../../device/capture.ts";
import type { Gpu } from "../../../device/gpu.ts";
import type { Program } from "../../../device/program.ts";
import type { TensorRef } from "../../../device/tensor.ts";
import { readSafetensors, writeSafetensors } from "../../../formats/safetensors.ts";
import { namedParameters } from "../../../model/module.ts";
import { createArena, parameterSlots, writeArenas } from "../../../model/parameters.ts";
import { atomicWrite, ensureFolder, readFileChecked } from "../../../support/files.ts";
import { Classifier } from "./classifier.ts";
import type { TrainedClassifier } from "./classifier_training.ts";
import { type FeatureExtractor, type Features, slicePixels } from "./features.ts";

const FORMAT = "diffract classifier 1";
/** Images that run at once; fixed, so that features depend on the image alone. */
const BATCH = 64;

/** What a classifier's file says. */
export interface StoredClassifier extends TrainedClassifier {
  /** Name of the data set. */
  readonly set: string;
  /** Checksum of the training images. */
  readonly checksum: string;
  /** Share of the test images that it gets right; null when it was not tested. */
  readonly accuracy: number | null;
}

/** Where the classifier of a training set is kept. */
export function classifierPath(images: ImageSet, folder = cacheFolder("features")): string {
  const { height, width, channels, checksum } = images;
  const name = `${setName(images)}-${height}x${width}x${channels}-${checksum.slice(0, 12)}`;
  return join(folder, `${name}.safetensors`);
}

/** Name of an image set without its split. */
export function setName({ name }: Pick<ImageSet, "name">): string {
  return name.replace(/ (train|test)$/, "");
}

/** Writes a classifier's file, and its folder. */
export async function writeClassifier(
  path: string,
  { classifier, weights, set, checksum, steps, accuracy }: StoredClassifier,
): Promise<void> {
  const { height, width, channels, classes } = classifier.shape;
  const tensors = Array.from(
    namedParameters(classifier),
    ([name, { shape }]) => [name, { dtype: "F32", shape, data: weights.get(name)! }] as const,
  );
  await ensureFolder(join(path, ".."));
  await atomicWrite(
    path,
    writeSafetensors(tensors, {
      format: FORMAT,
      set,
      checksum,
      height: `${height}`,
      width: `${width}`,
      channels: `${channels}`,
      classes: `${classes}`,
      steps: `${steps}`,
      accuracy: accuracy === null ? "" : `${accuracy}`,
    }),
  );
}

/**
 * Reads a classifier's file.
 *
 * @throws {Error} When it is absent, damaged or something else.
 */
export async function readClassifier(path: string): Promise<StoredClassifier> {
  const bytes = await readFileChecked(path);
  try {
    const { metadata, tensors } = readSafetensors(bytes);
    if (metadata.format !== FORMAT) {
      throw new SyntaxError(`its format must be "${FORMAT}", got "${metadata.format ?? "none"}"`);
    }
    const shape = ["height", "width", "channels", "classes"].map((key) => {
      const value = Number(metadata[key]);
      if (Number.isInteger(value) && value > 0 && value <= 65536) return value;
      throw new SyntaxError(`its ${key} must be a whole number above 0, got ${metadata[key]}`);
    });
    const [height = 0, width = 0, channels = 0, classes = 0] = shape;
    const classifier = new Classifier({ height, width, channels, classes });
    const weights = new Map<string, Float32Array<ArrayBuffer>>();
    for (const [name, { shape }] of namedParameters(classifier)) {
      const tensor = tensors.get(name);
      if (tensor?.dtype !== "F32" || tensor.shape.join() !== shape.join()) {
        throw new SyntaxError(`tensor ${name} must be F32 of shape [${shape}]`);
      }
      weights.set(name, Float32Array.from(tensor.data as Float32Array));
    }
    const { set = "", checksum = "", steps, accuracy } = metadata;
    return {
      classifier,
      weights,
      set,
      checksum,
      steps: Number(steps),
      accuracy: accuracy ? Number(accuracy) : null,
    };
  } catch (cause) {
    const why = (cause as Error).message.replace(/^Cannot read safetensors: /, "");
    throw new Error(`Cannot read classifier ${path}: ${why}`, { cause });
  }
}

/** A classifier on the GPU. */
export class ClassifierFeatures implements FeatureExtractor {
  readonly name: string;
  readonly dimension: number;
  readonly classes: number;
  readonly knowsLabels = true;

  private constructor(
    private readonly gpu: Gpu,
    private readonly stored: Omit<StoredClassifier, "accuracy">,
    private readonly arena: Arena,
    private readonly program: Program,
    private readonly outputs: { readonly features: TensorRef; readonly probabilities: TensorRef },
  ) {
    const { height, width, channels, classes } = stored.classifier.shape;
    const hash = createHash("sha256");
    for (const [name, values] of stored.weights) {
      hash.update(name).update(new Uint8Array(values.buffer));
    }
    const sum = hash.digest("hex").slice(0, 8);
    this.name = `own classifier of ${stored.set} ${height}x${width}x${channels} (${sum})`;
    this.dimension = stored.classifier.dimension;
    this.classes = classes;
  }

  /** Uploads the weights and plans. */
  static async create(
    gpu: Gpu,
    stored: Omit<StoredClassifier, "accuracy">,
  ): Promise<ClassifierFeatures> {
    const { classifier, weights } = stored;
    const { height, width, channels } = classifier.shape;
    const arena = createArena(gpu, "classifier", classifier);
    writeArenas(gpu, [arena], weights);
    const capture = new Capture(gpu, "classifier");
    const graph = new Graph(capture, { parameters: parameterSlots(classifier, arena) });
    const x = graph.constant(capture.input("x", [BATCH, height, width, channels]));
    const { features, scores } = classifier.forward(x);
    const outputs = { features: features.ref, probabilities: softmax(scores).ref };
    for (const tensor of Object.values(outputs)) capture.keep(tensor);
    return new ClassifierFeatures(gpu, stored, arena, await capture.plan(), outputs);
  }

  /** The classifier and its weights, which stay this object's. */
  get scorer(): { readonly network: Classifier; readonly weights: Arena } {
    return { network: this.stored.classifier, weights: this.arena };
  }

  async extract(pixels: Pixels): Promise<Features> {
    const { height, width, channels } = this.stored.classifier.shape;
    if (pixels.height !== height || pixels.width !== width || pixels.channels !== channels) {
      throw new RangeError(
        `Cannot judge images by the ${this.name}: they must be ${height}x${width}x${channels}, got ${pixels.height}x${pixels.width}x${pixels.channels}`,
      );
    }
    const features = new Float32Array(pixels.count * this.dimension);
    const probabilities = new Float32Array(pixels.count * this.classes);
    const x = new Float32Array(BATCH * height * width * channels);
    for (let first = 0; first < pixels.count; first += BATCH) {
      const { images, count } = slicePixels(pixels, first, BATCH);
      for (let i = 0; i < images.length; i++) x[i] = images[i]! / 127.5 - 1;
      this.program.run({ x });
      const read = async (tensor: TensorRef, width: number) =>
        (await this.program.readF32(tensor)).subarray(0, count * width);
      features.set(await read(this.outputs.features, this.dimension), first * this.dimension);
      probabilities.set(await read(this.outputs.probabilities, this.classes), first * this.classes);
    }
    return { features, probabilities };
  }

  destroy(): void {
    this.program.destroy();
    this.arena.destroy(this.gpu);
  }
}

/** The share of a set's images whose likeliest class is the right one. */
export async function accuracyOf(extractor: FeatureExtractor, images: ImageSet): Promise<number> {
  const { probabilities } = await extractor.extract(images);
  const { classes } = extractor;
  let right = 0;
  for (let i = 0; i < images.count; i++) {
    const row = probabilities.subarray(i * classes, (i + 1) * classes);
    if (row.indexOf(Math.max(...row)) === images.labels?.[i]) right++;
  }
  return right / images.count;
}
