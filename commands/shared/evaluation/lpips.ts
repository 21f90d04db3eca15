/**
 * Where the weights of LPIPS come from: a file, the cache or the network.
 *
 * @module
 */
import type { DownloadOptions, RemoteFile } from "../../../data/fetching/download.ts";
import type { Gpu } from "../../../device/gpu.ts";
import { Lpips, type LpipsShape, type LpipsTensor } from "../../../metrics/judges/lpips.ts";
import { toF32 } from "../checkpoints/floats.ts";
import { readSource } from "../checkpoints/source.ts";
import { fetchPublished } from "./published.ts";

/** Stands for the published weights in the place of a file. */
export const PUBLISHED = "published";

/** AlexNet as torchvision publishes it, trained on ImageNet. */
const ALEXNET: RemoteFile = {
  name: "alexnet-owt-7be5be79.pth",
  bytes: 244_408_911,
  sha256: "7be5be791159472b1fbf3c69796f7cb30dca7ad8466c2df70058c37116cdee02",
  urls: ["https://download.pytorch.org/models/alexnet-owt-7be5be79.pth"],
};
const PERCEPTUAL_SIMILARITY = "https://raw.githubusercontent.com/richzhang/PerceptualSimilarity";

/** The factors of its channels: version 0.1 of https://github.com/richzhang/PerceptualSimilarity. */
const FACTORS: RemoteFile = {
  name: "lpips-alex-0.1.pth",
  bytes: 6_009,
  sha256: "df73285e35b22355a2df87cdb6b70b343713b667eddbda73e1977e0c860835c0",
  urls: [`${PERCEPTUAL_SIMILARITY}/master/lpips/weights/v0.1/alex.pth`],
};

/** What LPIPS is made of when it was published. */
export const PUBLISHED_FILES: readonly RemoteFile[] = [ALEXNET, FACTORS];

/**
 * LPIPS for images of one size.
 *
 * @param file A PyTorch or safetensors file of the state_dict of `lpips.LPIPS(net="alex")`, or
 *   {@linkcode PUBLISHED}: the two files of {@linkcode PUBLISHED_FILES}, which are downloaded where they
 *   are not in the cache.
 * @throws {Error} When there are no weights, or they are damaged or another network's.
 */
export async function loadLpips(
  gpu: Gpu,
  file: string,
  shape: LpipsShape,
  options: DownloadOptions = {},
): Promise<Lpips> {
  return await Lpips.create(gpu, await lpipsState(file, options), shape);
}

/** The tensors of the files that {@linkcode loadLpips} reads. */
export async function lpipsState(
  file: string,
  options: DownloadOptions,
): Promise<Map<string, LpipsTensor>> {
  const paths = file === PUBLISHED ? await fetchAll(options) : [file];
  const state = new Map<string, LpipsTensor>();
  for (const path of paths) {
    for (const [name, tensor] of (await readSource(path)).tensors) {
      // Most of AlexNet is what LPIPS leaves out.
      if (name.startsWith("classifier.")) continue;
      state.set(name, { shape: tensor.shape, data: toF32(tensor.read()) });
    }
  }
  return state;
}

async function fetchAll(options: DownloadOptions): Promise<string[]> {
  const instead = "or give the weights of lpips.LPIPS(net='alex') by --lpips FILE";
  const paths: string[] = [];
  for (const file of PUBLISHED_FILES) paths.push(await fetchPublished(file, instead, options));
  return paths;
}
