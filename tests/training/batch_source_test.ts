import { EDM_SETTINGS } from "../../data/augmentation/options.ts";
import { imageSet } from "../../data/dataset.ts";
import { batchAt } from "../../data/order.ts";
import { Capture } from "../../device/capture.ts";
import type { Gpu } from "../../device/gpu.ts";
import {
  ImageBank,
  indicesOf,
  orderedBatches,
  trainingBatches,
} from "../../training/batch_source.ts";
import type { Conditioning } from "../../autograd/network_inputs.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";

const SIZE = { height: 3, width: 5, channels: 3 }, LENGTH = 45, COUNT = 11;

/** A GPU whose largest binding holds only a few images. */
function narrowGpu(gpu: Gpu, maxStorageBufferBindingSize: number): Gpu {
  const { maxBufferSize } = gpu.limits;
  return Object.create(gpu, {
    limits: { value: { maxBufferSize, maxStorageBufferBindingSize } },
    tensor: { value: gpu.tensor.bind(gpu) },
    destroyTensor: { value: gpu.destroyTensor.bind(gpu) },
  });
}

const images = Uint8Array.from({ length: COUNT * LENGTH }, (_, i) => (i * 37) % 256);

function expected(index: number, flip: number): number[] {
  return Array.from({ length: LENGTH }, (_, i) => {
    const channel = i % 3, x = Math.floor(i / 3) % 5, y = Math.floor(i / 15);
    const from = index * LENGTH + (y * 5 + (flip ? 4 - x : x)) * 3 + channel;
    return (images[from]! / 255 - 0.5) / 0.5;
  });
}

for (const perChunk of [COUNT, 4, 1]) {
  Deno.test(`ImageBank.gather() finds and mirrors images, ${perChunk} in a tensor`, async () => {
    const gpu = await testGpu();
    const pixels = { images, count: COUNT, ...SIZE };
    const bank = new ImageBank(narrowGpu(gpu, perChunk * LENGTH + LENGTH - 1), pixels);
    const capture = new Capture(gpu, "gather");
    const result = capture.keep(bank.gather(capture, capture.input("images", [6], "u32")));
    const program = await capture.plan();
    const indices = Uint32Array.of(0, 10, 3, 4, 4, 7), flips = Uint8Array.of(0, 1, 1, 0, 1, 0);
    program.run({ images: indicesOf({ indices, flips, epoch: 0 }) });
    const values = await program.readF32(result);
    assertAllClose(values, [...indices].flatMap((index, i) => expected(index, flips[i]!)));
    program.destroy();
    bank.destroy();
  });
}

Deno.test("indicesOf() sets the highest bit of what is mirrored", () => {
  const batch = { indices: Uint32Array.of(5, 6), flips: Uint8Array.of(1, 0), epoch: 0 };
  assertEquals([...indicesOf(batch)], [0x80000005, 6]);
});

const LABELS = Uint8Array.from({ length: COUNT }, (_, i) => i % 3);
const LABELLED = imageSet("eleven", { images, labels: LABELS, count: COUNT, ...SIZE });

Deno.test("trainingBatches() tells of each image its class and whether it is mirrored, part by part", async () => {
  const gpu = await testGpu();
  const order = { seed: 3, batchSize: 6, parts: 2, flip: true };
  const source = trainingBatches(gpu, LABELLED, order, { labels: 3, augment: 2 });
  const capture = new Capture(gpu, "batch");
  const { x0, labels, augment } = source.record(capture);
  assertEquals([x0.shape, labels?.shape, augment?.shape], [[3, 3, 5, 3], [3], [3, 2]]);
  for (const step of [0, 1, 5]) {
    const { indices, flips } = batchAt(step, 6, COUNT, 3, { flip: true });
    for (const part of [0, 1]) {
      const own = (list: ArrayLike<number>) => Array.from(list).slice(3 * part, 3 * part + 3);
      const given = source.inputs(step, part);
      assertEquals(Array.from(given.labels!), own(indices).map((index) => LABELS[index]));
      assertEquals(Array.from(given.augment!), own(flips).flatMap((flip) => [flip, 0]));
      assertEquals(Array.from(given.images!, (index) => index % 2 ** 31), own(indices));
    }
  }
  source.destroy();
});

Deno.test("orderedBatches() fills the last batch up with the last image, and tells its class", async () => {
  const source = orderedBatches(await testGpu(), LABELLED, 4, { labels: 3, augment: 1 });
  const { images: indices, labels, augment } = source.inputs(2);
  assertEquals(Array.from(indices!), [8, 9, 10, 10]);
  assertEquals([Array.from(labels!), Array.from(augment!)], [[2, 0, 1, 1], [0, 0, 0, 0]]);
  source.destroy();
});

Deno.test("orderedBatches() makes no inputs that the network does not want", async () => {
  const gpu = await testGpu();
  const source = orderedBatches(gpu, LABELLED, 4);
  const capture = new Capture(gpu, "batch");
  assertEquals(Object.keys(source.record(capture)), ["x0"]);
  assertEquals([capture.inputs.length, Object.keys(source.inputs(0))], [1, ["images"]]);
  source.destroy();
});

Deno.test("orderedBatches() refuses classes that images have not", async () => {
  const gpu = await testGpu();
  const bare = imageSet("bare", { images, labels: null, count: COUNT, ...SIZE });
  assertThrows(
    () => orderedBatches(gpu, bare, 4, { labels: 3 }),
    RangeError,
    "Cannot tell the network classes: bare must have labels, it has none",
  );
  assertThrows(
    () => orderedBatches(gpu, LABELLED, 4, { labels: 2 }),
    RangeError,
    "the labels of eleven must be below its 2 classes, got 2",
  );
});

Deno.test("trainingBatches() withholds classes as often as asked, however a batch is cut", async () => {
  const gpu = await testGpu();
  const conditioning = { labels: 3, labelDropout: 0.25 };
  const batches = (parts: number, conditioning: Conditioning) => {
    const order = { seed: 7, batchSize: 8, parts, flip: false };
    const source = trainingBatches(gpu, LABELLED, order, conditioning);
    const labels = Array.from(
      { length: 100 },
      (_, step) =>
        Array.from({ length: parts }, (_, part) => [
          ...source.inputs(step, part).labels as Uint32Array,
        ]).flat(),
    );
    source.destroy();
    return labels.flat();
  };
  const told = batches(1, conditioning);
  assertEquals(batches(4, conditioning), told);
  const all = batches(1, { labels: 3 });
  const withheld = told.filter((label) => label === 3).length;
  // 200 of 800 expected, and a standard deviation of 12.
  assert(Math.abs(withheld - 200) < 49, `${withheld}`);
  assertEquals(told.map((label, i) => label === 3 ? all[i] : label), all);
  const ordered = orderedBatches(gpu, LABELLED, 8, conditioning);
  assertEquals([...ordered.inputs(0).labels as Uint32Array], [...LABELS.subarray(0, 8)]);
  ordered.destroy();
});

const PIPE = {
  ...EDM_SETTINGS,
  ...{
    probability: 0.7,
    yflip: 1,
    translateInt: 1,
    scale: 1,
    rotateFrac: 1,
    brightness: 1,
    hue: 1,
  },
};

/** The images of a step and what is told of them, from a source of `parts` parts. */
async function augmented(parts: number, steps: readonly number[]) {
  const gpu = await testGpu();
  const order = { seed: 5, batchSize: 6, parts, flip: true, augment: PIPE };
  const source = trainingBatches(gpu, LABELLED, order, { augment: 12 });
  const capture = new Capture(gpu, "batch");
  const { x0, augment } = source.record(capture);
  for (const ref of [x0, augment!]) capture.keep(ref);
  const program = await capture.plan();
  const found: number[][] = [];
  for (const step of steps) {
    const images: number[] = [], told: number[] = [];
    for (let part = 0; part < parts; part++) {
      program.run(source.inputs(step, part));
      images.push(...await program.readF32(x0));
      told.push(...await program.readF32(augment!));
    }
    found.push(images, told);
  }
  program.destroy();
  source.destroy();
  return found;
}

Deno.test("trainingBatches() augments images alike however a batch is cut and where a run goes on", async () => {
  const [, , images, told] = await augmented(1, [0, 3]);
  assertEquals(await augmented(3, [3]), [images, told]);
  assertEquals(await augmented(6, [3]), [images, told]);
  const { indices, flips } = batchAt(3, 6, COUNT, 5, { flip: true });
  let changed = 0;
  for (let i = 0; i < 6; i++) {
    const label = told!.slice(12 * i, 12 * i + 12);
    // Mirrored, yflip, two of translateInt, scale, two each of rotateFrac and hue, brightness; and zeros.
    assertEquals([label[0], ...label.slice(10)], [flips[i], 0, 0]);
    const own = images!.slice(i * LENGTH, (i + 1) * LENGTH);
    const plain = expected(indices[i]!, flips[i]!);
    const still = label.slice(1).every((value) => value === 0);
    const far = own.some((value, k) => Math.abs(value - plain[k]!) > 1e-5);
    assertEquals(far, !still);
    changed += far ? 1 : 0;
  }
  assert(changed > 2, `${changed}`);
});

Deno.test("trainingBatches() refuses a network that takes too few numbers to be told of augmentation", async () => {
  const gpu = await testGpu();
  const order = { seed: 5, batchSize: 6, parts: 1, flip: true, augment: PIPE };
  assertThrows(
    () => trainingBatches(gpu, LABELLED, order, { augment: 9 }),
    RangeError,
    "it must take 10 numbers, got 9",
  );
  trainingBatches(gpu, LABELLED, order).destroy();
});
