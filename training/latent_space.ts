/**
 * The latents of an autoencoder in place of images: a data set's are computed once and kept, and what
 * is drawn among latents is decoded to images.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { join } from "node:path";
import { Graph } from "../autograd/graph.ts";
import type { ImageSet, Latents } from "../data/dataset.ts";
import { cacheFolder } from "../data/fetching/cache.ts";
import type { Arena } from "../device/arena.ts";
import { Capture } from "../device/capture.ts";
import type { Gpu } from "../device/gpu.ts";
import { sizeOf } from "../device/tensor.ts";
import type { SampleDecoder } from "../diffusion/evaluation.ts";
import { readSafetensors, writeSafetensors } from "../formats/safetensors.ts";
import type { AutoencoderKL } from "../model/autoencoder/autoencoder.ts";
import { fromLatents, toLatents } from "../model/autoencoder/latents.ts";
import { diffusedSize, type LatentOptions } from "../model/latent_options.ts";
import { createArena, parameterSlots, writeArenas } from "../model/parameters.ts";
import { atomicWrite, ensureFolder } from "../support/files.ts";
import { readAutoencoder, type StoredAutoencoder } from "./autoencoder_file.ts";
import type { ImageSize } from "./pictures.ts";

/** Images encoded at once. */
const BATCH = 16;

/** An autoencoder ready to be used. */
export class LatentSpace {
  private constructor(
    private readonly gpu: Gpu,
    private readonly options: LatentOptions,
    private readonly autoencoder: StoredAutoencoder,
    private readonly weights: Arena,
  ) {}

  /**
   * Reads the autoencoder of a config; null where diffusion is among pixels.
   *
   * @param image Size of the images.
   * @throws {RangeError} When it does not fit the images or the config.
   */
  static async open(
    gpu: Gpu,
    options: LatentOptions,
    image: ImageSize,
  ): Promise<LatentSpace | null> {
    if (options.autoencoder === null) return null;
    const stored = await readAutoencoder(options.autoencoder);
    checkFit(stored.network, options, image);
    const weights = createArena(gpu, "the autoencoder", stored.network);
    writeArenas(gpu, [weights], stored.weights);
    return new LatentSpace(gpu, options, stored, weights);
  }

  /** Size of the latents of images. */
  sizeOf(image: ImageSize): ImageSize {
    return diffusedSize(image, this.options);
  }

  /**
   * A set with its latents, from the cache where they are there.
   *
   * @param mirrored Whether those of mirrored images are wanted too.
   */
  async encode(
    images: ImageSet,
    { mirrored, say = () => {}, cache = cacheFolder("latents") }: {
      readonly mirrored: boolean;
      readonly say?: (line: string) => void;
      readonly cache?: string;
    },
  ): Promise<ImageSet> {
    const size = this.sizeOf(images);
    const hash = createHash("sha256").update(`${images.checksum} ${this.autoencoder.checksum}`);
    const path = join(cache, `${hash.digest("hex")}${mirrored ? "-mirrored" : ""}.safetensors`);
    const kept = await readLatents(path, images.count, size, mirrored);
    if (kept) return { ...images, latents: kept };
    say(`latents   encoding ${images.count} images of ${images.name}, once; they go to ${path}`);
    const latents = {
      ...size,
      values: await this.#encodeAll(images, false),
      mirrored: mirrored ? await this.#encodeAll(images, true) : null,
    };
    await writeLatents(path, images.count, latents);
    return { ...images, latents };
  }

  /** Decodes batches of `count` latents to images. */
  async decoder(count: number, image: ImageSize): Promise<SampleDecoder> {
    const { height, width, channels } = this.sizeOf(image);
    const { network } = this.autoencoder;
    const { graph, capture } = this.#graph("decoding");
    const latents = graph.constant(capture.input("latents", [count, height, width, channels]));
    const images = network.decode(fromLatents(latents, network.options));
    capture.keep(images.ref);
    const program = await capture.plan();
    return {
      length: sizeOf(images.shape.slice(1)),
      decode: async (values) => {
        program.run({ latents: values });
        return await program.readF32(images.ref);
      },
      destroy: () => program.destroy(),
    };
  }

  /** Frees the weights. */
  destroy(): void {
    this.weights.destroy(this.gpu);
  }

  #graph(name: string): { graph: Graph; capture: Capture } {
    const capture = new Capture(this.gpu, name);
    const parameters = parameterSlots(this.autoencoder.network, this.weights);
    return { capture, graph: new Graph(capture, { parameters }) };
  }

  /** The means of all images, scaled. */
  async #encodeAll(images: ImageSet, mirrored: boolean): Promise<Float32Array<ArrayBuffer>> {
    const { count, height, width, channels } = images;
    const { network } = this.autoencoder;
    const { graph, capture } = this.#graph("encoding");
    const x = graph.constant(capture.input("images", [BATCH, height, width, channels]));
    const latents = toLatents(network.encode(x).mean, network.options);
    capture.keep(latents.ref);
    const program = await capture.plan();
    const length = sizeOf(latents.shape.slice(1));
    const result = new Float32Array(count * length);
    for (let first = 0; first < count; first += BATCH) {
      program.run({ images: pixels(images, first, mirrored) });
      const values = await program.readF32(latents.ref);
      const some = Math.min(BATCH, count - first);
      result.set(values.subarray(0, some * length), first * length);
    }
    program.destroy();
    return result;
  }
}

function checkFit(
  { options, factor }: AutoencoderKL,
  { autoencoder, channels, factor: wanted }: LatentOptions,
  image: ImageSize,
): void {
  const refuse = (what: string, rule: string, got: number) => {
    throw new RangeError(
      `Cannot use the autoencoder ${autoencoder}: ${what} must ${rule}, got ${got}`,
    );
  };
  const { inChannels, outChannels, latentChannels } = options;
  if (latentChannels !== channels) {
    refuse("model.latent.channels", `be its ${latentChannels}`, channels);
  }
  if (factor !== wanted) refuse("model.latent.factor", `be its ${factor}`, wanted);
  if (inChannels !== image.channels || outChannels !== image.channels) {
    refuse("the channels of its images", `be the data's ${image.channels}`, inChannels);
  }
}

/** A batch of images in [-1, 1]; places after the last one hold zeros. */
function pixels(
  { images, count, height, width, channels }: ImageSet,
  first: number,
  mirrored: boolean,
): Float32Array<ArrayBuffer> {
  const row = width * channels, length = height * row;
  const values = new Float32Array(BATCH * length);
  const end = Math.min(count, first + BATCH) * length;
  for (let i = first * length; i < end; i++) {
    const inRow = i % row, column = Math.floor(inRow / channels);
    const from = mirrored ? i + (width - 1 - 2 * column) * channels : i;
    values[i - first * length] = images[from]! / 127.5 - 1;
  }
  return values;
}

async function readLatents(
  path: string,
  count: number,
  size: ImageSize,
  mirrored: boolean,
): Promise<Latents | null> {
  let bytes: Uint8Array;
  try {
    bytes = await Deno.readFile(path);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return null;
    throw error;
  }
  const { tensors } = readSafetensors(bytes);
  const length = count * size.height * size.width * size.channels;
  const take = (name: string) => {
    const tensor = tensors.get(name);
    return tensor?.dtype === "F32" && tensor.data.length === length
      ? tensor.data as Float32Array<ArrayBuffer>
      : null;
  };
  const values = take("values"), others = mirrored ? take("mirrored") : null;
  return values && (others || !mirrored) ? { ...size, values, mirrored: others } : null;
}

async function writeLatents(path: string, count: number, latents: Latents): Promise<void> {
  const { height, width, channels, values, mirrored } = latents;
  const shape = [count, height, width, channels];
  const tensor = (data: Float32Array<ArrayBuffer>) => ({ dtype: "F32" as const, shape, data });
  await ensureFolder(join(path, ".."));
  await atomicWrite(
    path,
    writeSafetensors([
      ["values", tensor(values)],
      ...mirrored ? [["mirrored", tensor(mirrored)] as const] : [],
    ]),
  );
}
