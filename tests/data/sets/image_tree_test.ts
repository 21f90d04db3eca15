import { assert, assertEquals } from "../../support/assert.ts";
import { planSplit } from "../../../data/sets/image_tree.ts";

const list = (prefix: string, count: number) =>
  Array.from({ length: count }, (_, i) => `${prefix}${String(i).padStart(3, "0")}.png`);

/** Names with their classes, sorted. */
function labelled(files: readonly string[], split: "train" | "test") {
  const { names, labels, classNames } = planSplit(files, split);
  return names.map((name, i) => `${name} ${labels ? classNames[labels[i]!] : "-"}`).sort();
}

Deno.test("planSplit() takes train and test folders, and classes by sorted name", () => {
  const files = ["train/b/1.png", "train/a/2.png", "test/b/3.png", "test/c/sub/4.png"];
  assertEquals(labelled(files, "train"), ["train/a/2.png a", "train/b/1.png b"]);
  assertEquals(labelled(files, "test"), ["test/b/3.png b", "test/c/sub/4.png c"]);
  // Labels agree between the splits.
  assertEquals(planSplit(files, "train").classNames, ["a", "b", "c"]);
  assertEquals(planSplit(files, "test").classNames, ["a", "b", "c"]);
  assertEquals(planSplit(files, "test").remarks, []);
});

Deno.test("planSplit() looks through folders that hold everything", () => {
  const files = ["a/b/Train/x/1.png", "a/b/Train/y/2.png", "a/b/val/x/3.png"];
  assertEquals(labelled(files, "train"), ["a/b/Train/x/1.png x", "a/b/Train/y/2.png y"]);
  assertEquals(labelled(files, "test"), ["a/b/val/x/3.png x"]);
  const flat = ["./w/1.png", "./w/2.png"];
  assertEquals([...labelled(flat, "train"), ...labelled(flat, "test")].sort(), [
    "./w/1.png -",
    "./w/2.png -",
  ]);
});

Deno.test("planSplit() prefers test to validation images, and says what it leaves", () => {
  const files = ["train/1.png", "val/2.png", "test/3.png", "val/4.png"];
  assertEquals(labelled(files, "test"), ["test/3.png -"]);
  assertEquals(planSplit(files, "train").remarks, ["Left aside: 2 images in the folder val"]);
});

Deno.test("planSplit() holds out one image in ten where there is no test folder", () => {
  for (const files of [list("", 45), list("train/", 45), [...list("a/", 20), ...list("b/", 25)]]) {
    const train = planSplit(files, "train"), test = planSplit(files, "test");
    assertEquals([train.names.length, test.names.length], [41, 4]);
    assertEquals([...train.names, ...test.names].sort(), [...files].sort());
    assertEquals(train.remarks, [
      "There is no folder of test images: one image in 10 is held out",
    ]);
  }
});

Deno.test("planSplit() holds out one image of a few, and none of a single one", () => {
  for (const count of [2, 5, 9, 10]) {
    const files = list("", count);
    assertEquals(planSplit(files, "test").names.length, 1);
    assertEquals(planSplit(files, "train").names.length, count - 1);
  }
  assertEquals(planSplit(["1.png"], "train").names.length, 1);
  assertEquals(planSplit(["1.png"], "test").names.length, 0);
});

Deno.test("planSplit() takes a folder named train among others for a class", () => {
  const files = ["train/1.png", "car/2.png", "bus/3.png"];
  assertEquals(planSplit(files, "train").classNames, ["bus", "car", "train"]);
  assertEquals(planSplit(files, "train").names.length, 2);
});

Deno.test("planSplit() has no labels for one class, loose images or too many classes", () => {
  const one = planSplit(list("a/", 4), "train");
  assertEquals([one.labels, one.classNames], [null, []]);
  const loose = planSplit(["a/1.png", "b/2.png", "3.png"], "train");
  assertEquals([loose.labels, loose.classNames], [null, []]);
  assertEquals(loose.remarks[0], "There are no labels: 1 image is in no class folder, as 3.png");
  const classes = (count: number) => Array.from({ length: count }, (_, i) => `c${i}/1.png`);
  const some = planSplit(classes(300), "train");
  assertEquals(
    some.names.map((name) => name.split("/")[0]),
    [...some.labels!].map((label) => some.classNames[label]),
  );
  const many = planSplit(classes(65537), "train");
  assertEquals(many.labels, null);
  assertEquals(
    many.remarks[0],
    "There are no labels: at most 65536 class folders have one each, not 65537",
  );
});

Deno.test("planSplit() has images of all classes at the beginning, in the same order each time", () => {
  const files = ["a", "b", "c", "d"].flatMap((name) => list(`train/${name}/`, 100));
  const plan = planSplit([...files, "test/a/x.png"], "train");
  const counts = [0, 0, 0, 0];
  for (const label of plan.labels!.subarray(0, 100)) counts[label]!++;
  assert(counts.every((count) => count >= 10), `${counts}`);
  const reversed = planSplit([...files, "test/a/x.png"].reverse(), "train");
  assertEquals(reversed, plan);
});

/** Each split's images with their classes, and what is said of them. */
function halves(files: readonly string[]) {
  return {
    train: labelled(files, "train"),
    test: labelled(files, "test"),
    remarks: planSplit(files, "train").remarks,
  };
}

const SPLITS = ["train/a/1.png", "train/b/2.png", "test/a/3.png", "test/b/4.png"];
const BY_SPLIT = {
  train: ["train/a/1.png a", "train/b/2.png b"],
  test: ["test/a/3.png a", "test/b/4.png b"],
};

Deno.test("planSplit() keeps splits whatever lies beside them, and says what it leaves aside", () => {
  const beside: [string[], string][] = [
    [["sample.png"], "Left aside: 1 image beside the folders of splits"],
    [["sample_submission/5.png"], "Left aside: 1 image in the folder sample_submission"],
    [["unlabeled/5.png", "unlabeled/6.png"], "Left aside: 2 images in the folder unlabeled"],
    [SPLITS.map((name) => `copy/${name}`), "Left aside: 4 images in the folder copy"],
  ];
  for (const [others, remark] of beside) {
    assertEquals(halves([...SPLITS, ...others]), { ...BY_SPLIT, remarks: [remark] });
  }
  const both = [["a", "1"], ["b", "2"]].map(([name, n]) => `train/${name}/${n}.png`);
  const alone = [...both, "sample.png"];
  assertEquals([...labelled(alone, "train"), ...labelled(alone, "test")].sort(), BY_SPLIT.train);
});

Deno.test("planSplit() knows splits by many names, in pairs", () => {
  const pairs = [
    ["TRAIN", "Test"],
    ["Training", "Testing"],
    ["training_set", "test_set"],
    ["seg_train", "seg_test"],
    ["train-images", "valid-images"],
    ["train2017", "val2017"],
    ["TrainData", "ValidationData"],
    ["trainset", "testset"],
    // Kaggle's, and Hugging Face's words.
    ["train", "test1"],
    ["train", "test_images"],
    ["train_images", "test"],
    ["train", "dev"],
    ["Training", "evaluation"],
  ] as const;
  for (const [train, test] of pairs) {
    const files = [`${train}/a/1.png`, `${train}/b/2.png`, `${test}/a/3.png`, "seg_pred/4.png"];
    assertEquals(halves(files), {
      train: [`${train}/a/1.png a`, `${train}/b/2.png b`],
      test: [`${test}/a/3.png a`],
      remarks: ["Left aside: 1 image in the folder seg_pred"],
    });
  }
  const classes = ["bullet_train/1.png", "bus/2.png", "contest/3.png", "evaluation/4.png"];
  assertEquals(planSplit(classes, "train").classNames, [
    ...["bullet_train", "bus", "contest", "evaluation"],
  ]);
  const quality = ["valid/1.png", "invalid/2.png"];
  assertEquals(planSplit(quality, "train").classNames, ["invalid", "valid"]);
});

Deno.test("planSplit() takes pairs of splits for classes, as CycleGAN's data have them", () => {
  const files = ["trainA/1.png", "trainB/2.png", "testA/3.png", "testB/4.png", "a.png"];
  assertEquals(halves(files), {
    train: ["trainA/1.png A", "trainB/2.png B"],
    test: ["testA/3.png A", "testB/4.png B"],
    remarks: ["Left aside: 1 image beside the folders of splits"],
  });
  const named = ["cat_train/1.png", "dog-train/2.png", "cat_test/3.png", "dog-val/4.png"];
  assertEquals(planSplit(named, "train").classNames, ["cat", "dog"]);
  assertEquals(labelled(named, "test"), ["cat_test/3.png cat", "dog-val/4.png dog"]);
});

Deno.test("planSplit() finds the splits in the one folder that has both", () => {
  const inside = SPLITS.map((name) => `x/data/${name}`);
  for (const others of [["logo.png"], ["x/logo.png"], ["x/raw/1.png", "demo/2.png"]]) {
    assertEquals(halves([...inside, ...others]), {
      train: BY_SPLIT.train.map((name) => `x/data/${name}`),
      test: BY_SPLIT.test.map((name) => `x/data/${name}`),
      remarks: [
        `Left aside: ${others.length === 1 ? "1 image" : "2 images"} beside the folder x/data`,
      ],
    });
  }
  // Flat ones may be those of a class.
  const flat = planSplit(["cat/train/1.png", "cat/test/2.png", "dog/3.png"], "train");
  assertEquals(flat.classNames, ["cat", "dog"]);
});

Deno.test("planSplit() looks through a split inside of itself, and leaves copies aside", () => {
  const both = ["x_train/x_train/a/1.png", "x_train/x_train/b/2.png", "x_test/x_test/a/3.png"];
  assertEquals(halves(both), {
    train: ["x_train/x_train/a/1.png a", "x_train/x_train/b/2.png b"],
    test: ["x_test/x_test/a/3.png a"],
    remarks: [],
  });
  const copies = [...SPLITS, "train/train/a/1.png", "train/train/b/2.png"];
  assertEquals(halves(copies), {
    ...BY_SPLIT,
    remarks: ["Left aside: 2 images in the folder train/train"],
  });
  // A class of that name is one.
  const vehicles = ["train/train/1.png", "train/bus/2.png", "test/train/3.png", "test/bus/4.png"];
  assertEquals(planSplit(vehicles, "train").classNames, ["bus", "train"]);
});

Deno.test("planSplit() labels training images where the test images lie flat or in foreign folders", () => {
  for (
    const [test, why] of [
      ["test/3.png", "1 of them are in no class folder"],
      ["test/unknown/3.png", "their folders, such as unknown, are none of training's"],
    ] as const
  ) {
    assertEquals(halves([...SPLITS.slice(0, 2), test]), {
      train: BY_SPLIT.train,
      test: [`${test} -`],
      remarks: [`Test images have no labels: ${why}`],
    });
  }
});

Deno.test("planSplit() never trains on a folder of test images without a word", () => {
  const beside = ["a/1.png", "b/2.png", "test/a/3.png"];
  assertEquals(halves(beside), {
    train: ["a/1.png a", "b/2.png b"],
    test: ["test/a/3.png a"],
    remarks: ["There is no folder of training images: all that is not in test is trained on"],
  });
  const inside = ["a/train/1.png", "a/test/2.png", "b/train/3.png", "b/Test/4.png", "b/val/5.png"];
  assertEquals(halves(inside), {
    train: ["a/train/1.png a", "b/train/3.png b"],
    test: ["a/test/2.png a", "b/Test/4.png b"],
    remarks: ["Left aside: 1 image beside the folders of splits"],
  });
  const loose = ["a/train/1.png", "a/test/2.png", "b/train/3.png", "b/Test/4.png"];
  for (const other of ["x.png", "a/ground_truth/5.png"]) {
    assertEquals(halves([...loose, other]), {
      train: ["a/train/1.png a", "b/train/3.png b"],
      test: ["a/test/2.png a", "b/Test/4.png b"],
      remarks: ["Left aside: 1 image beside the folders of splits"],
    });
  }
  const uneven = planSplit(["a/train/1.png", "a/test/2.png", "b/3.png"], "train");
  assert(uneven.remarks[0]!.includes("There are no splits: folders such as that of a/test/2.png"));
  assertEquals(planSplit([], "train").names, []);
});
