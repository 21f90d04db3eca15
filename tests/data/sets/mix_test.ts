import { withDefaults } from "../../../support/options.ts";
import type { RawImages } from "../../../data/dataset.ts";
import { mixImages, type MixPlan } from "../../../data/sets/mix.ts";
import {
  DATA,
  type DataOptions,
  imageShape,
  type MixOptions,
  nativeShape,
} from "../../../data/options.ts";
import { batchAt } from "../../../data/order.ts";
import { loadImages } from "../../../data/registry.ts";
import { assert, assertEquals, assertThrows } from "../../support/assert.ts";
import { alone, bytesOf, cifarFiles, idxPair, writeFiles } from "../fixtures.ts";
import { inFolder } from "../../support/folder.ts";

const MIX: MixOptions = {
  first: "cifar10",
  second: "mnist",
  kind: "union",
  ratio: null,
  position: "random",
  blend: "max",
  opacity: 1,
  secondSplit: "same",
};
/** Sets that the tests have files of. */
const PARTS = ["fashion-mnist", "mnist", "cifar10", "synthetic"] as const;
const PLAN: MixPlan = {
  split: "train",
  limit: Infinity,
  size: 8,
  fit: { crop: true, resize: "area" },
};

/** Photographs of 8x8 RGB. */
function photos(count: number): RawImages {
  return {
    images: bytesOf(count * 192, 5),
    labels: Uint8Array.from({ length: count }, (_, i) => i % 2),
    classNames: ["cat", "dog"],
    count,
    height: 8,
    width: 8,
    channels: 3,
  };
}

/** Grey digits of 5x5, which may not be mirrored. */
function digits(count: number): RawImages {
  return {
    images: bytesOf(count * 25, 6),
    labels: Uint8Array.from({ length: count }, (_, i) => i % 3),
    classNames: ["0", "1", "2"],
    mirrorable: new Uint8Array(count),
    count,
    height: 5,
    width: 5,
    channels: 1,
  };
}

const imageAt = ({ images, count }: RawImages, index: number) =>
  images.subarray(index * images.length / count, (index + 1) * images.length / count);

/** A digit in the middle of 8x8 black RGB, as padding leaves it. */
function paddedDigit(set: RawImages, index: number, top = 1, left = 1): Uint8Array {
  const out = new Uint8Array(192);
  for (let y = 0; y < 5; y++) {
    for (let x = 0; x < 5; x++) {
      const value = set.images[index * 25 + y * 5 + x]!;
      out.fill(value, ((top + y) * 8 + left + x) * 3, ((top + y) * 8 + left + x) * 3 + 3);
    }
  }
  return out;
}

Deno.test("mixImages() of a union has every image of both, digits padded and never mirrored", () => {
  const [a, b] = [photos(10), digits(5)];
  const mixed = mixImages(a, b, MIX, PLAN);
  assertEquals([mixed.count, mixed.height, mixed.width, mixed.channels], [15, 8, 8, 3]);
  assertEquals(mixed.classNames, ["cat", "dog", "0", "1", "2"]);
  const from = { first: 0, second: 0 };
  for (let i = 0; i < 15; i++) {
    const digit = mixed.mirrorable![i] === 0;
    const index = digit ? from.second++ : from.first++;
    assertEquals(imageAt(mixed, i), digit ? paddedDigit(b, index) : imageAt(a, index));
    assertEquals(mixed.labels![i], digit ? 2 + b.labels![index]! : a.labels![index]);
  }
  assertEquals(from, { first: 10, second: 5 });
});

Deno.test("mixImages() of a union keeps its ratio from the first image on", () => {
  for (const ratio of [0.1, 0.25, 0.5, 0.8]) {
    const { count, mirrorable } = mixImages(photos(60), digits(60), { ...MIX, ratio }, PLAN);
    const digitsIn = (n: number) => mirrorable!.subarray(0, n).filter((m) => m === 0).length;
    for (let n = 1; n <= count; n++) assert(Math.abs(digitsIn(n) - n * ratio) <= 1, `${n}`);
    // One of the sets is used up, but for what would spoil the ratio.
    const most = Math.max(digitsIn(count), count - digitsIn(count));
    assert(most <= 60 && most > 60 - 1 / Math.min(ratio, 1 - ratio), `${most}`);
  }
  const cut = mixImages(photos(60), digits(60), { ...MIX, ratio: 0.5 }, { ...PLAN, limit: 7 });
  assertEquals([cut.count, cut.images.length, cut.labels!.length], [7, 7 * 192, 7]);
  const scarce = () => mixImages(photos(1), digits(60), { ...MIX, ratio: 0.001 }, PLAN);
  assertThrows(scarce, RangeError, "must leave images of both");
});

Deno.test("mixImages() of an overlay takes the brighter value, anywhere inside or in the middle", () => {
  const [a, b] = [photos(200), digits(3)];
  const places = new Set<string>();
  for (const position of ["random", "centre"] as const) {
    const mixed = mixImages(a, b, { ...MIX, kind: "overlay", position }, PLAN);
    assertEquals(mixed.count, 200);
    assert(mixed.mirrorable!.every((m) => m === 0), "a digit is on every image");
    for (let i = 0; i < 200; i++) {
      const label = mixed.labels![i]!, photo = imageAt(a, i), partner = label % 3;
      assertEquals(mixed.classNames![label], `${["cat", "dog"][i % 2]} + ${partner}`);
      const found = [0, 1, 2, 3].flatMap((top) =>
        [0, 1, 2, 3].filter((left) => {
          const digit = paddedDigit(b, partner, top, left);
          return imageAt(mixed, i).every((value, k) => value === Math.max(photo[k]!, digit[k]!));
        }).map((left) => `${top} ${left}`)
      );
      assertEquals(found.length, 1);
      if (position === "random") places.add(found[0]!);
      else assertEquals(found, ["1 1"]);
    }
  }
  assertEquals(places.size, 16);
});

Deno.test("mixImages() of an overlay covers by brightness with blend over", () => {
  const [a, b] = [photos(4), digits(1)];
  const options = { ...MIX, kind: "overlay", position: "centre", blend: "over" } as const;
  for (const opacity of [1, 0.5]) {
    const mixed = mixImages(a, b, { ...options, opacity }, PLAN);
    const digit = paddedDigit(b, 0);
    for (let i = 0; i < 4; i++) {
      const expected = imageAt(a, i).map((below, k) =>
        Math.round((1 - opacity * digit[k]! / 255) * below + opacity * digit[k]!)
      );
      assertEquals(imageAt(mixed, i), expected);
    }
  }
});

Deno.test("mixImages() of dominoes sets the second below the first, each resized alone", () => {
  const [a, b] = [photos(6), digits(3)];
  const mixed = mixImages(a, b, { ...MIX, kind: "dominoes" }, PLAN);
  assertEquals([mixed.height, mixed.width, mixed.images.length], [16, 8, 6 * 384]);
  for (let i = 0; i < 6; i++) {
    assertEquals(imageAt(mixed, i).subarray(0, 192), imageAt(a, i));
    assertEquals(imageAt(mixed, i).subarray(192), paddedDigit(b, mixed.labels![i]! % 3));
  }
  const small = mixImages(a, b, { ...MIX, kind: "dominoes" }, { ...PLAN, size: 4 });
  assertEquals([small.height, small.width], [8, 4]);
});

Deno.test("mixImages() follows from split and index alone, and mixes sets without labels", () => {
  const overlay = { ...MIX, kind: "overlay" } as const;
  const [a, b] = [photos(40), digits(30)];
  const all = mixImages(a, b, overlay, PLAN);
  assertEquals(mixImages(a, b, overlay, { ...PLAN, limit: 4 }).images, all.images.subarray(0, 768));
  const test = mixImages(a, b, overlay, { ...PLAN, split: "test" });
  assert(test.labels!.some((label, i) => label !== all.labels![i]));
  const bare = { ...a, labels: null };
  assertEquals(mixImages(bare, b, overlay, PLAN).labels, null);
  const both = mixImages(bare, bare, overlay, PLAN);
  assert(both.mirrorable!.every((m) => m === 1), "photographs may be mirrored");
});

Deno.test("batchAt() mirrors no image that may not be", () => {
  const mirrorable = Uint8Array.from({ length: 50 }, (_, i) => i % 2);
  let mirrored = 0;
  for (let step = 0; step < 20; step++) {
    const free = batchAt(step, 10, 50, 3, { flip: true });
    const { indices, flips } = batchAt(step, 10, 50, 3, { flip: true, mirrorable });
    assertEquals(indices, free.indices);
    flips.forEach((flip, i) => {
      assertEquals(flip, mirrorable[indices[i]!] ? free.flips[i] : 0);
      mirrored += flip;
    });
  }
  assert(mirrored > 20);
});

const OPTIONS: DataOptions = {
  ...withDefaults(DATA, { name: "mix", holdout: 5 }),
  synthetic: { kind: "shapes", power: 2, dims: 2, depth: null, channels: 1, count: 12 },
  mix: MIX,
};

Deno.test("imageShape() of a mix is the larger side and the more channels; dominoes are high", () => {
  const shape = (mix: Partial<MixOptions>, size: number | null = null) =>
    imageShape({ ...OPTIONS, size, mix: { ...MIX, ...mix } });
  assertEquals(shape({}), { size: 32, height: 32, width: 32, channels: 3 });
  assertEquals(shape({ kind: "dominoes" }, 16), { size: 16, height: 32, width: 16, channels: 3 });
  assertEquals(shape({ first: "fashion-mnist" }), { size: 28, height: 28, width: 28, channels: 1 });
  assertEquals(nativeShape({ ...OPTIONS, mix: { ...MIX, first: "synthetic" } }), {
    size: 32,
    channels: 1,
  });
});

Deno.test("loadImages() mixes any two sets, in folders of their own or in one", async () => {
  await inFolder(async (folder) => {
    const { imageFile, labelFile } = idxPair(14);
    const idx = {
      "train-images-idx3-ubyte": imageFile,
      "train-labels-idx1-ubyte": labelFile,
      "t10k-images-idx3-ubyte": imageFile,
      "t10k-labels-idx1-ubyte": labelFile,
    };
    const cifar = Object.fromEntries(cifarFiles().map(({ name, bytes }) => [name, bytes]));
    await writeFiles(`${folder}/apart/mnist`, idx);
    await writeFiles(`${folder}/apart/cifar10`, cifar);
    await writeFiles(`${folder}/one`, { ...idx, ...cifar });
    const load = (dir: string, options: Partial<DataOptions>, split: "train" | "test" = "train") =>
      loadImages({ ...OPTIONS, dir, ...options }, split, () => {}, alone(folder));
    const apart = await load(`${folder}/apart`, {});
    assertEquals(apart.name, "union of cifar10 and mnist train");
    assertEquals([apart.count, apart.height, apart.channels], [20 + 14, 32, 3]);
    assertEquals((await load(`${folder}/one`, {})).checksum, apart.checksum);
    const small = await load(`${folder}/one`, { size: 16, limit: 5 });
    assertEquals([small.count, small.height, small.mirrorable!.length], [5, 16, 5]);
    for (const first of PARTS) {
      for (const second of PARTS) {
        for (const kind of ["union", "overlay", "dominoes"] as const) {
          const options = { mix: { ...MIX, first, second, kind }, size: 8 };
          const set = await load(`${folder}/one`, options);
          const { height, width, channels } = imageShape({ ...OPTIONS, ...options });
          assertEquals([set.height, set.width, set.channels], [height, width, channels]);
          assertEquals(set.images.length, set.count * height * width * channels);
        }
      }
    }
  });
});

Deno.test("loadImages() trains a mix on a part of the test images that is not held out", async () => {
  await inFolder(async (folder) => {
    const { images, imageFile, labelFile } = idxPair(14);
    const cifar = Object.fromEntries(cifarFiles().map(({ name, bytes }) => [name, bytes]));
    await writeFiles(folder, {
      ...cifar,
      "t10k-images-idx3-ubyte": imageFile,
      "t10k-labels-idx1-ubyte": labelFile,
    });
    const mix = { ...MIX, secondSplit: "test" } as const;
    const options = { ...OPTIONS, dir: folder, mix };
    const digitsOf = async (split: "train" | "test") => {
      const set = await loadImages(options, split, () => {}, alone(folder));
      const found: number[] = [];
      for (let i = 0; i < set.count; i++) {
        if (set.mirrorable![i] === 1) continue;
        const red = imageAt(set, i).filter((_, k) => k % 3 === 0);
        const inside = red.filter((_, k) => k % 32 >= 2 && k % 32 < 30 && k >= 64 && k < 960);
        for (let n = 0; n < 14; n++) {
          if (inside.every((value, k) => value === images[n * 784 + k])) found.push(n);
        }
      }
      return found;
    };
    assertEquals(await digitsOf("train"), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11]);
    assertEquals(await digitsOf("test"), [12, 13]);
  });
});
