import { join } from "node:path";
import { parseConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { loadImages } from "../../data/registry.ts";
import { AutoencoderKL } from "../../model/autoencoder/autoencoder.ts";
import { fromAutoencoderConfig } from "../../model/autoencoder/config.ts";
import { initialValues } from "../../model/parameters.ts";
import { decodePng } from "../../formats/png.ts";
import { readAutoencoder, writeAutoencoder } from "../../training/autoencoder_file.ts";
import { LatentSpace } from "../../training/latent_space.ts";
import { UsageError } from "../../support/errors.ts";
import { assert, assertEquals, assertRejects, assertThrows } from "../support/assert.ts";
import { inFolder } from "../support/folder.ts";
import { testGpu } from "../support/gpu.ts";
import { trainInFolder } from "../support/runs.ts";

const IMAGE = { height: 8, width: 8, channels: 1 };

/** Writes a small autoencoder as it is drawn. */
async function someAutoencoder(folder: string): Promise<string> {
  const options = fromAutoencoderConfig({
    ...{ _class_name: "AutoencoderKL", block_out_channels: [8, 8], norm_num_groups: 4 },
    ...{ in_channels: 1, out_channels: 1, latent_channels: 2 },
    down_block_types: new Array(2).fill("DownEncoderBlock2D"),
    up_block_types: new Array(2).fill("UpDecoderBlock2D"),
  }, (key) => assert(false, key))!;
  const network = new AutoencoderKL(options);
  const path = join(folder, "autoencoder");
  await writeAutoencoder(path, { network, weights: new Map(initialValues(network, 1)) }, 8);
  return path;
}

const tree = (autoencoder: string, latent: Record<string, unknown> = {}) => ({
  data: { name: "synthetic", size: 8, synthetic: { kind: "shapes", channels: 1, count: 32 } },
  model: {
    ...{ name: "diffusers", blockOutChannels: [8], normNumGroups: 4, layersPerBlock: 1 },
    ...{ downBlockTypes: ["DownBlock2D"], upBlockTypes: ["UpBlock2D"] },
    latent: { autoencoder, channels: 2, factor: 2, ...latent },
  },
  diffusion: { timesteps: 20, clipX0: false, sampler: { name: "ddim", steps: 2 } },
  train: { steps: 3, batchSize: 4, sampleCount: 4, evalEvery: 3, evalCount: 4, logEvery: 1 },
});

const parse = (config: unknown): Config => parseConfig(JSON.stringify(config), { path: "test" });

Deno.test("writeAutoencoder() writes what readAutoencoder() reads, and both name what is wrong", () =>
  inFolder(async (folder) => {
    const path = await someAutoencoder(folder);
    const { network, weights, checksum } = await readAutoencoder(path);
    assertEquals(network.factor, 2);
    assertEquals(weights, new Map(initialValues(network, 1)));
    assertEquals((await readAutoencoder(path)).checksum, checksum);
    await assertRejects(() => readAutoencoder(folder), UsageError, "config.json of a diffusers");
    await Deno.writeTextFile(join(path, "config.json"), `{"_class_name": "UNet2DModel"}`);
    await assertRejects(
      () => readAutoencoder(path),
      UsageError,
      "_class_name must be AutoencoderKL",
    );
    await Deno.writeTextFile(join(path, "config.json"), "[");
    await assertRejects(() => readAutoencoder(path), UsageError, "must be JSON");
  }));

Deno.test("LatentSpace encodes a set once, mirrored images apart, and takes the cache's then", () =>
  inFolder(async (folder) => {
    const gpu = await testGpu();
    const config = parse(tree(await someAutoencoder(folder)));
    const images = await loadImages(config.data, "train", () => {});
    const space = (await LatentSpace.open(gpu, config.model.latent, IMAGE))!;
    const cache = join(folder, "cache"), said: string[] = [];
    const options = { cache, say: (line: string) => void said.push(line) };
    const plain = await space.encode(images, { ...options, mirrored: false });
    const both = await space.encode(images, { ...options, mirrored: true });
    const again = await space.encode(images, { ...options, mirrored: true });
    assertEquals(said.length, 2);
    assertEquals(again.latents, both.latents);
    assertEquals(both.latents!.values, plain.latents!.values);
    assertEquals(plain.latents!.mirrored, null);
    assertEquals(both.latents!.values.length, images.count * 4 * 4 * 2);
    // The mirrored image of a mirrored set is the set's own.
    const { width } = images;
    const turned = images.images.map((_, i) => images.images[i - 2 * (i % width) + width - 1]!);
    const other = { ...images, images: turned, checksum: "turned" };
    const back = await space.encode(other, { ...options, mirrored: true });
    assertEquals(back.latents!.mirrored, both.latents!.values);
    const decoder = await space.decoder(2, IMAGE);
    const decoded = await decoder.decode(both.latents!.values.slice(0, 2 * 32));
    assertEquals([decoded.length, decoder.length], [2 * 64, 64]);
    assert(decoded.every(Number.isFinite));
    decoder.destroy();
    space.destroy();
  }));

Deno.test("LatentSpace.open() refuses an autoencoder that does not fit", () =>
  inFolder(async (folder) => {
    const gpu = await testGpu();
    const autoencoder = await someAutoencoder(folder);
    const open = (latent: { channels: number; factor: number }, image = IMAGE) =>
      LatentSpace.open(gpu, { autoencoder, ...latent }, image);
    const cases: [Parameters<typeof open>, string][] = [
      [[{ channels: 4, factor: 2 }], "model.latent.channels must be its 2, got 4"],
      [[{ channels: 2, factor: 4 }], "model.latent.factor must be its 2, got 4"],
      [[{ channels: 2, factor: 2 }, { ...IMAGE, channels: 3 }], "must be the data's 3, got 1"],
    ];
    for (const [args, part] of cases) await assertRejects(() => open(...args), RangeError, part);
    const none = { autoencoder: null, channels: 4, factor: 8 };
    assertEquals(await LatentSpace.open(gpu, none, IMAGE), null);
  }));

Deno.test("model.latent trains among latents, draws previews of pixels, and goes on to the same bytes", () =>
  inFolder(async (folder) => {
    const before = Deno.env.get("DIFFRACT_CACHE");
    Deno.env.set("DIFFRACT_CACHE", join(folder, "cache"));
    try {
      const config = parse(tree(await someAutoencoder(folder)));
      const { lines } = await trainInFolder(config, join(folder, "whole"));
      await trainInFolder(config, join(folder, "parts"), { stopAfter: 2 });
      await trainInFolder(config, join(folder, "parts"), { resume: true });
      const last = (run: string) =>
        Deno.readFile(join(folder, run, "checkpoints", "step-000003.safetensors"));
      assertEquals(await last("parts"), await last("whole"));
      assertEquals(lines.filter((line) => line.startsWith("latents   encoding")).length, 2);
      const picture = join(folder, "whole", "samples", "step-000003.png");
      const { width, height } = decodePng(await Deno.readFile(picture));
      // Two by two images of 8 x 8 pixels, enlarged twelve times.
      assert(width > 2 * 96 && height > 2 * 96, `${width} x ${height}`);
    } finally {
      if (before === undefined) Deno.env.delete("DIFFRACT_CACHE");
      else Deno.env.set("DIFFRACT_CACHE", before);
    }
  }));

Deno.test("model.latent refuses sides that do not divide, and clipping of latents", () => {
  const refuse = (config: unknown, part: string) =>
    assertThrows(() => parse(config), UsageError, part);
  refuse(tree("vae", { factor: 3 }), "model.latent.factor must divide the images' sides, 8 and 8");
  const clipped = tree("vae");
  refuse(
    { ...clipped, diffusion: { ...clipped.diffusion, clipX0: true } },
    "diffusion.clipX0 must be false with model.latent.autoencoder",
  );
});
