import { join } from "node:path";
import { inMemory } from "../../data/dataset.ts";
import { batchAt } from "../../data/order.ts";
import { resizeImages } from "../../data/pixels/resize.ts";
import { randomCorner } from "../../data/random_crops.ts";
import { loadImages, openImages } from "../../data/registry.ts";
import type { Config } from "../../config/schema.ts";
import { Capture } from "../../device/capture.ts";
import { encodePng } from "../../formats/png.ts";
import { UsageError } from "../../support/errors.ts";
import { type BatchSource, trainingBatches } from "../../training/batch_source.ts";
import { Checkpoint } from "../../training/checkpoint.ts";
import { assert, assertAllClose, assertEquals, assertRejects } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { testGpu } from "../support/gpu.ts";
import { inFolderWithCache, smokeConfig, trainInFolder } from "../support/runs.ts";
import { assertSameWhenStreamed } from "../support/streamed_runs.ts";
import { exampleBytes, tfRecordFile } from "../support/tfrecord_file.ts";

/** Sizes of pictures, in turn: brought to 8x12, 13x8, 8x8, and, cut at its ends, 8x16. */
const SIZES = [[16, 24], [26, 16], [16, 16], [16, 60]] as const;

/** A gradient that no other picture has, which tells rows from columns. */
function pixelsOf(i: number) {
  const [height, width] = SIZES[i % 4]!;
  const images = Uint8Array.from({ length: height * width * 3 }, (_, k) => {
    const pixel = Math.floor(k / 3);
    return (11 * i + 9 * Math.floor(pixel / width) + 3 * (pixel % width) + 40 * (k % 3)) % 256;
  });
  return { images, count: 1, height, width, channels: 3 };
}

async function writePictures(folder: string): Promise<void> {
  for (const split of ["train", "test"]) {
    const place = join(folder, "set", split);
    await Deno.mkdir(place, { recursive: true });
    for (let i = 0; i < 18; i++) {
      const { images: data, height, width } = pixelsOf(i);
      const png = encodePng({ width, height, channels: 3, data });
      await Deno.writeFile(join(place, `${String(i).padStart(2, "0")}.png`), png);
    }
  }
}

function cropConfig(folder: string, ...overrides: string[]): Promise<Config> {
  return smokeConfig(
    ...["data.name=folder", `data.dir=${join(folder, "set")}`, "data.crop=random"],
    ...["model.dropout=0", "instruments.spectraCount=2", "instruments.emergenceLooks=0"],
    ...["train.sampleEvery=6", "train.steps=12", "train.checkpointEvery=6"],
    ...overrides,
  );
}

/** The clean images of a part of a batch. */
async function takeBatch(source: BatchSource, step: number, part: number) {
  const capture = new Capture(await testGpu(), "batch");
  const { x0 } = source.record(capture);
  capture.keep(x0);
  const program = await capture.plan();
  program.run(source.inputs(step, part));
  const values = await program.read(x0);
  program.destroy();
  return values;
}

Deno.test("openImages() leaves images uncropped for random crops, as a stream too", () =>
  inFolderWithCache(async (folder) => {
    await writePictures(folder);
    const { data } = await cropConfig(folder);
    const held = await openImages(data, "train", () => {});
    const { of, sizes, rowBytes, crop } = held.buckets!;
    assertEquals([held.height, held.width, crop, rowBytes], [8, 8, [8, 8], 17 * 8 * 3]);
    const kinds = new Map<string, number>();
    for (const own of of) {
      const size = sizes[own]!.join("x");
      kinds.set(size, (kinds.get(size) ?? 0) + 1);
    }
    assertEquals(Object.fromEntries(kinds), { "8x12": 5, "13x8": 5, "8x8": 4, "8x16": 4 });
    // Each whole picture in its own shape is there once; the order is shuffled.
    const rows = Array.from(of, (own, i) => {
      const [h, w] = sizes[own]!;
      return held.images.subarray(i * rowBytes, i * rowBytes + h * w * 3).join();
    });
    for (const [i, size] of [[0, [8, 12]], [1, [13, 8]], [2, [8, 8]]] as const) {
      const whole = resizeImages(pixelsOf(i), [...size], "area").images.join();
      assertEquals(rows.filter((row) => row === whole).length, 1, `${size}`);
    }
    const streamed = await openImages({ ...data, stream: true }, "train", () => {});
    assertEquals([streamed.checksum, streamed.buckets], [held.checksum, held.buckets]);
    // What is looked at is the middle, of all of them.
    const sample = inMemory(held);
    assertEquals([sample.count, sample.height, sample.width], [18, 8, 8]);
    const test = await loadImages(data, "test", () => {});
    const centred = await loadImages({ ...data, crop: true }, "test", () => {});
    assertEquals(test.checksum, centred.checksum);
  }));

Deno.test("openImages() leaves images of TFRecord uncropped, too", () =>
  inFolderWithCache(async (folder) => {
    const images = Array.from({ length: 4 }, (_, i) => {
      const { images: data, height, width } = pixelsOf(i);
      return exampleBytes({ image: [encodePng({ width, height, channels: 3, data })] });
    });
    await Deno.writeFile(join(folder, "set-train.tfrecord"), tfRecordFile(images));
    await Deno.writeFile(join(folder, "set-test.tfrecord"), tfRecordFile(images));
    const { data } = await cropConfig(folder, "data.name=tfrecord", `data.dir=${folder}`);
    for (const stream of [false, true]) {
      const { buckets } = await openImages({ ...data, stream }, "train", () => {});
      const found = Array.from(buckets!.of, (own) => buckets!.sizes[own]!.join("x"));
      assertEquals(found.sort(), ["13x8", "8x12", "8x16", "8x8"]);
    }
  }));

Deno.test("trainingBatches() crops each image at its place, however a batch is cut, and mirrors what it cut", () =>
  inFolderWithCache(async (folder) => {
    await writePictures(folder);
    const gpu = await testGpu();
    const { data } = await cropConfig(folder);
    const held = await openImages(data, "train", () => {});
    const { of, sizes, rowBytes } = held.buckets!;
    const order = { seed: 5, batchSize: 6, flip: true }, channels = 3;
    const expected = (step: number) => {
      const { indices, flips } = batchAt(step, 6, held.count, order.seed, { flip: true });
      return Array.from(indices).flatMap((image, sample) => {
        const from = sizes[of[image]!]!;
        const [top, left] = randomCorner(from, [8, 8], { seed: order.seed, step, sample });
        return Array.from({ length: 8 * 8 * channels }, (_, k) => {
          const c = k % channels, column = Math.floor(k / channels) % 8;
          const y = Math.floor(k / channels / 8);
          const x = flips[sample] ? 7 - column : column;
          const at = ((top + y) * from[1] + left + x) * channels + c;
          return (held.images[image * rowBytes + at]! / 255 - 0.5) / 0.5;
        });
      });
    };
    for (const stream of [false, true]) {
      for (const parts of [1, 3]) {
        const images = await openImages({ ...data, stream }, "train", () => {});
        const source = trainingBatches(gpu, images, { ...order, parts });
        assertEquals(source.sizes, null);
        for (const step of [0, 1, 7]) {
          const wanted = expected(step), length = wanted.length / parts;
          for (let part = 0; part < parts; part++) {
            await source.ready?.(step, Array.from({ length: parts }, (_, p) => p));
            assertAllClose(
              await takeBatch(source, step, part),
              wanted.slice(part * length, (part + 1) * length),
              {
                rtol: 0,
                atol: 3e-7,
              },
            );
          }
        }
        source.destroy();
      }
    }
  }));

Deno.test("trainRun() goes on with random crops to the same bytes, from memory and as a stream", () =>
  inFolderWithCache(async (folder) => {
    await writePictures(folder);
    const { lines, checkpoint } = await assertSameWhenStreamed(
      folder,
      (...overrides) => cropConfig(folder, ...overrides),
    );
    assert(
      lines.some((line) => line.includes("18 images of 8x8x3 cropped at random, folder train")),
      lines.join("\n"),
    );
    const config = await cropConfig(folder, "data.crop=true");
    const middle = await trainInFolder(config, join(folder, "middle"), { instruments: true });
    const [[name, { shape }] = ["", { shape: [0] }]] = checkpoint.tensors;
    const other = await Checkpoint.open(middle.checkpoint);
    assert(String(await other.read(name, shape)) !== String(await checkpoint.read(name, shape)));
  }));

Deno.test("a config with random crops says what they do not go with", () =>
  inFolder(async (folder) => {
    await writePictures(folder);
    const refusals: [string[], string][] = [
      [["data.name=synthetic"], "data.crop must be true or false for synthetic"],
      [["data.resize=pad"], "data.resize must be another than pad with data.crop random"],
      [["data.buckets=auto"], "data.crop must be true with data.buckets"],
      [["data.crop=middle"], "data.crop must be true, false or random"],
      [["model.latent.autoencoder=vae"], "data.crop must be true or false with model.latent"],
    ];
    for (const [overrides, message] of refusals) {
      await assertRejects(() => cropConfig(folder, ...overrides), UsageError, message);
    }
  }));
