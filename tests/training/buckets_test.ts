import { join } from "node:path";
import { type ImageSet, imageSet, inMemory } from "../../data/dataset.ts";
import { BucketOrder } from "../../data/bucket_order.ts";
import { epochOrder } from "../../data/order.ts";
import { openImages } from "../../data/registry.ts";
import type { Config } from "../../config/schema.ts";
import { encodePng } from "../../formats/png.ts";
import { UsageError } from "../../support/errors.ts";
import { networkAt, networkOf } from "../../training/network_of.ts";
import { Trainer } from "../../training/trainer.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { testGpu } from "../support/gpu.ts";
import { inFolderWithCache, smokeConfig } from "../support/runs.ts";
import { assertSameWhenStreamed } from "../support/streamed_runs.ts";

/** Sizes of pictures: nearest to 8x8, to 4x12, and to 12x4, eight of each but the last. */
const SIZES = [[20, 21], [12, 40], [30, 10]] as const;

/** A gradient that no other picture has, which tells rows from columns. */
function picture(i: number): Uint8Array {
  const [height, width] = i === 16 || i === 17 ? SIZES[2] : SIZES[i % 2]!;
  const data = Uint8Array.from(
    { length: height * width * 3 },
    (_, k) =>
      (7 * i + 5 * Math.floor(k / 3 / width) + 3 * (Math.floor(k / 3) % width) + k % 3) % 256,
  );
  return encodePng({ width, height, channels: 3, data });
}

async function writePictures(folder: string): Promise<string> {
  for (const split of ["train", "test"]) {
    const place = join(folder, "set", split);
    await Deno.mkdir(place, { recursive: true });
    for (let i = 0; i < 18; i++) {
      await Deno.writeFile(join(place, `${String(i).padStart(2, "0")}.png`), picture(i));
    }
  }
  return join(folder, "set");
}

function bucketConfig(folder: string, ...overrides: string[]): Promise<Config> {
  return smokeConfig(
    ...["data.name=folder", `data.dir=${join(folder, "set")}`, "data.flip=false"],
    "data.buckets=[[4,12],[8,8],[12,4]]",
    ...[
      "model.dropout=0",
      "instruments.spectraCount=2",
      "instruments.emergenceLooks=0",
      "train.sampleEvery=6",
      "train.steps=12",
      "train.checkpointEvery=6",
    ],
    ...overrides,
  );
}

async function trainerOf(config: Config, images: ImageSet): Promise<Trainer> {
  const trainer = await Trainer.create(
    ...[await testGpu(), config, networkOf(config), images, [], undefined, undefined] as const,
    (size) => networkAt(config, size),
  );
  trainer.state.initialize(config.run.seed);
  return trainer;
}

async function weightsOf({ gpu, state }: Trainer): Promise<Map<string, Float32Array>> {
  const weights = new Map<string, Float32Array>();
  for (const [name, tensor] of state.weights.tensors) weights.set(name, await gpu.readF32(tensor));
  return weights;
}

Deno.test("openImages() brings each image to the bucket nearest in shape, as a stream too", () =>
  inFolderWithCache(async (folder) => {
    await writePictures(folder);
    const { data } = await bucketConfig(folder, "data.resize=bicubic");
    const held = await openImages(data, "train", () => {});
    const { of, sizes, rowBytes, sample } = held.buckets!;
    assertEquals(sizes, [[4, 12], [8, 8], [12, 4]]);
    assertEquals([0, 1, 2].map((b) => of.filter((own) => own === b).length), [8, 8, 2]);
    assertEquals([held.height, held.width, rowBytes, inMemory(held)], [8, 8, 216, sample]);
    // The same pixels as of a set of that size alone.
    for (const [bucket, size] of sizes.entries()) {
      const alone = await openImages(
        { ...data, buckets: null, size: [...size] },
        "train",
        () => {},
      );
      const length = size[0] * size[1] * 3;
      for (const [i, own] of of.entries()) {
        if (own !== bucket) continue;
        assertEquals(
          held.images.subarray(i * rowBytes, i * rowBytes + length),
          alone.images.subarray(i * length, (i + 1) * length),
        );
      }
    }
    const streamed = await openImages({ ...data, stream: true }, "train", () => {});
    assertEquals([streamed.checksum, streamed.buckets], [held.checksum, held.buckets]);
    assertThrows(() => streamed.images, RangeError, "data.stream=false");
  }));

Deno.test("Trainer.step() of a bucket is that of a network of its size, to the bit, and makes no GPU object", () =>
  inFolderWithCache(async (folder) => {
    await writePictures(folder);
    for (const [accumulate, buckets] of [[1, 3], [2, 1]] as const) {
      const config = await bucketConfig(folder, `train.accumulate=${accumulate}`);
      const images = await openImages(config.data, "train", () => {});
      const { of, sizes, rowBytes } = images.buckets!;
      const { run: { seed }, train: { batchSize } } = config;
      const order = new BucketOrder(of, sizes.length, { seed, batchSize, flip: false });
      const seen = new Set<number>();
      for (let step = 0; seen.size < buckets; step++) {
        const bucket = order.bucketAt(step);
        if (seen.has(bucket)) continue;
        seen.add(bucket);
        const trainer = await trainerOf(config, images);
        trainer.step(step);
        const [height, width] = sizes[bucket]!, length = height * width * 3;
        // Images whose only batch of that step is the same.
        const places = epochOrder(batchSize, seed, step),
          batch = new Uint8Array(batchSize * length);
        for (const [i, index] of order.batchAt(step).indices.entries()) {
          const row = images.images.subarray(index * rowBytes, index * rowBytes + length);
          batch.set(row, places[i]! * length);
        }
        const plain = { ...config, data: { ...config.data, buckets: null, size: [height, width] } };
        const own = await trainerOf(
          plain as Config,
          imageSet("own", {
            ...{ images: batch, labels: null, count: batchSize, height, width, channels: 3 },
          }),
        );
        own.step(step);
        assertEquals(
          await trainer.readLosses(step, step + 1),
          await own.readLosses(step, step + 1),
        );
        assertEquals(await weightsOf(trainer), await weightsOf(own));
        trainer.destroy();
        own.destroy();
      }
    }
    const config = await bucketConfig(folder);
    const images = await openImages(config.data, "train", () => {});
    const trainer = await trainerOf(config, images), { gpu } = trainer;
    trainer.step(0);
    await trainer.readLosses(0, 1);
    const { submits: _, ...before } = gpu.counters;
    for (let step = 1; step < 30; step++) trainer.step(step);
    await trainer.readLosses(29, 30);
    const { submits: __, ...after } = gpu.counters;
    assertEquals(after, before);
    const bytes = gpu.counters.bufferBytes;
    trainer.destroy();
    const again = await trainerOf(config, images);
    assertEquals(gpu.counters.bufferBytes, bytes);
    again.destroy();
  }));

Deno.test("trainRun() goes on with buckets to the same bytes, from memory and as a stream", () =>
  inFolderWithCache(async (folder) => {
    await writePictures(folder);
    const { lines } = await assertSameWhenStreamed(
      folder,
      (...overrides) => bucketConfig(folder, ...overrides),
    );
    assert(
      lines.some((line) => /18 images .*4x12: 8, 8x8: 8, 12x4: 2/.test(line)),
      lines.join("\n"),
    );
  }));

Deno.test("networkAt() takes networks of any size, and refuses one whose parameters go by it", async () => {
  const dit = await smokeConfig(
    ...['model={"name":"dit","channels":16,"depth":1,"heads":2}', "data.size=8"],
  );
  assertEquals(networkAt(dit, [4, 12]).constructor, networkOf(dit).constructor);
  const mlp = await smokeConfig('model={"name":"mlp","width":16}', "data.size=8");
  assertThrows(() => networkAt(mlp, [4, 12]), UsageError, "must not depend on their size");
});

Deno.test("a config with buckets says what they do not go with", () =>
  inFolder(async (folder) => {
    await writePictures(folder);
    const refusals: [string[], string][] = [
      [["data.buckets=[[4,12]]"], "data.buckets must have data.size, 8x8, among them"],
      [["data.buckets=[[8,8],[12,8]]"], "none with more pixels"],
      [["data.buckets=[[8,8],[8,8]]"], "name each size once"],
      [["data.buckets=[[8,8],[9,7]]"], "data.buckets must have sides that must be"],
      [["data.crop=false"], "data.crop must be true with data.buckets"],
      [["data.resize=pad"], "data.resize must be another than pad"],
      [["data.flipVertical=true"], "data.flipVertical must be false"],
      [["data.name=synthetic"], "data.buckets must be null for synthetic"],
      [["diffusion.process=power"], "diffusion.process must be ddpm with data.buckets"],
      [["diffusion.spectralLoss.lambda=1"], "diffusion.spectralLoss.lambda must be 0"],
    ];
    for (const [overrides, message] of refusals) {
      await assertRejects(() => bucketConfig(folder, ...overrides), UsageError, message);
    }
    const auto = await bucketConfig(folder, "data.buckets=auto", "data.bucketStep=4");
    assertEquals(auto.data.buckets, "auto");
  }));
