import { UsageError } from "../../support/errors.ts";
import { classNumber, classWords, imagesOfClasses } from "../../data/class_choice.ts";
import { loadImages } from "../../data/registry.ts";
import { assertEquals, assertRejects, assertThrows } from "../support/assert.ts";
import { smokeConfig } from "../support/runs.ts";

const NAMES = ["cat", "Dog", "normal, benign", "7"];

const SET = {
  ...{ count: 5, height: 1, width: 2, channels: 1, classNames: NAMES },
  images: Uint8Array.from({ length: 10 }, (_, i) => i),
  values: Float32Array.from({ length: 10 }, (_, i) => i / 10),
  labels: Uint8Array.of(1, 0, 3, 1, 0),
  mirrorable: Uint8Array.of(1, 1, 0, 0, 1),
};

Deno.test("imagesOfClasses() keeps images of the classes in their order, with their numbers and marks", () => {
  const kept = imagesOfClasses(SET, "set", "7,dog");
  assertEquals(kept.count, 3);
  assertEquals([...kept.images], [0, 1, 4, 5, 6, 7]);
  assertEquals([...kept.values!], [...Float32Array.of(0, 0.1, 0.4, 0.5, 0.6, 0.7)]);
  assertEquals([[...kept.labels!], [...kept.mirrorable!]], [[1, 3, 1], [1, 0, 0]]);
  assertEquals(kept.classNames, NAMES);
  assertEquals(imagesOfClasses(SET, "set", ["1", "CAT"]).count, 4);
});

Deno.test("imagesOfClasses() refuses classes that there are not, or no images of", () => {
  for (
    const [raw, classes, message] of [
      [SET, "bird", 'the class "bird" of set: it must be a number from 0 to 3, or one of cat, Dog'],
      [SET, ["4"], 'class "4" of set: it must be a number from 0 to 3'],
      [SET, "normal, benign", "must be images of them, there are none"],
      [{ ...SET, labels: null }, "cat", "the set must have classes, it has none"],
    ] as const
  ) {
    assertThrows(() => imagesOfClasses(raw, "set", classes), UsageError, message);
  }
});

Deno.test("classWords() takes names with commas of their own; classNumber() a name before a number", () => {
  assertEquals(classWords("normal, benign,0", NAMES), ["normal, benign", "0"]);
  assertEquals([classNumber("7", 4, NAMES), classNumber("3", 4, NAMES)], [3, 3]);
});

Deno.test("loadImages() keeps data.classes in both halves, before data.limit counts", async () => {
  const { data } = await smokeConfig("data.classes=1", "data.limit=4", "data.holdout=64");
  for (const split of ["train", "test"] as const) {
    const set = await loadImages(data, split, () => {});
    assertEquals(new Set(set.labels), new Set([1]));
    if (split === "train") assertEquals(set.count, 4);
  }
  await assertRejects(() => loadImages({ ...data, classes: "9" }, "train", () => {}), UsageError);
});
