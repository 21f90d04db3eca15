import { join } from "node:path";
import { firstImages, imageSet } from "../../../../data/dataset.ts";
import { makeSynthetic } from "../../../../data/sets/synthetic.ts";
import { Classifier } from "../../../../metrics/judges/features/classifier.ts";
import {
  accuracyOf,
  ClassifierFeatures,
  classifierPath,
  readClassifier,
  writeClassifier,
} from "../../../../metrics/judges/features/classifier_features.ts";
import { trainClassifier } from "../../../../metrics/judges/features/classifier_training.ts";
import { slicePixels } from "../../../../metrics/judges/features/features.ts";
import { assert, assertAllClose, assertEquals, assertRejects } from "../../../support/assert.ts";
import { testGpu } from "../../../support/gpu.ts";
import { inFolder } from "../../../support/folder.ts";

const SHAPES = { kind: "shapes", power: 2, channels: 1, count: 512 } as const;
const images = imageSet("synthetic train", makeSynthetic(SHAPES, "train", 512, 8));

Deno.test("trainClassifier() learns to tell shapes, and its file gives the same features", async () => {
  const gpu = await testGpu();
  const losses: number[] = [];
  const trained = await trainClassifier(gpu, images, {
    steps: 150,
    onStep: (_, __, loss) => void losses.push(loss),
  });
  assertEquals(losses.length, 3);
  assert(losses[2]! < losses[0]!, `${losses}`);
  const stored = { ...trained, set: "synthetic", checksum: images.checksum, accuracy: 0.5 };
  const features = await ClassifierFeatures.create(gpu, stored);
  const classes = images.classNames!.length;
  assertEquals([features.dimension, features.classes], [64, classes]);
  const accuracy = await accuracyOf(features, images);
  assert(accuracy > 1.5 / classes, `${accuracy} of ${classes} classes`);
  await inFolder(async (folder) => {
    const path = classifierPath(images, folder);
    await writeClassifier(path, stored);
    const again = await readClassifier(path);
    assertEquals([again.set, again.accuracy, again.steps], ["synthetic", 0.5, 150]);
    const read = await ClassifierFeatures.create(gpu, again);
    assertEquals(read.name, features.name);
    const few = firstImages(images, 70);
    assertEquals(await read.extract(few), await features.extract(few));
    read.destroy();
  });
  features.destroy();
});

Deno.test("ClassifierFeatures depend on the image alone, and probabilities add to 1", async () => {
  const gpu = await testGpu();
  const trained = await trainClassifier(gpu, images, { steps: 1 });
  const features = await ClassifierFeatures.create(gpu, {
    ...{ ...trained, set: "synthetic", checksum: images.checksum },
  });
  const { features: all, probabilities } = await features.extract(firstImages(images, 100));
  const { features: one } = await features.extract(slicePixels(images, 90, 1));
  assertEquals(one, all.subarray(90 * 64, 91 * 64));
  const classes = features.classes;
  const sums = Array.from(
    { length: 100 },
    (_, i) => probabilities.subarray(i * classes, (i + 1) * classes).reduce((a, b) => a + b, 0),
  );
  assertAllClose(sums, sums.map(() => 1));
  await assertRejects(
    () =>
      features.extract({ images: new Uint8Array(9), count: 1, height: 3, width: 3, channels: 1 }),
    RangeError,
    "must be 8x8x1, got 3x3x1",
  );
  features.destroy();
});

Deno.test("Classifier halves to four pixels whatever the size, and widens up to 128", () => {
  const levels = (height: number, width = height) =>
    new Classifier({ height, width, channels: 3, classes: 10 });
  assertEquals([16, 28, 32, 64].map((side) => levels(side).levels.length), [3, 4, 4, 5]);
  assertEquals([levels(64, 32).levels.length, levels(32).dimension], [4, 128]);
});

Deno.test("trainClassifier() refuses images without classes; readClassifier() damaged files", async () => {
  const gpu = await testGpu();
  const field = makeSynthetic({ ...SHAPES, kind: "field" }, "train", 4, 8);
  const unlabelled = imageSet("synthetic train", field);
  await assertRejects(() => trainClassifier(gpu, unlabelled), RangeError, "must have classes");
  await inFolder(async (folder) => {
    const path = join(folder, "wrong.safetensors");
    await Deno.writeTextFile(path, "nothing of the kind");
    await assertRejects(() => readClassifier(path), Error, `Cannot read classifier ${path}`);
  });
});
