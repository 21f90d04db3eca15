/**
 * Where DINOv2's weights come from: a file, the cache or the network.
 *
 * @module
 */
import { type RemoteFile, sha256File } from "../../../data/fetching/download.ts";
import type { Gpu } from "../../../device/gpu.ts";
import { DINOV2_SHA256, DinoV2Features } from "../../../metrics/judges/features/dinov2_features.ts";
import type { StateTensor } from "../../../metrics/judges/features/inception_weights.ts";
import { toF32 } from "../checkpoints/floats.ts";
import { readSource } from "../checkpoints/source.ts";
import { fetchPublished, publishedPath } from "./published.ts";

/** ViT-L/14 as facebookresearch/dinov2 publishes it, without register tokens. */
const PUBLISHED: RemoteFile = {
  name: "dinov2_vitl14_pretrain.pth",
  bytes: 1_217_586_395,
  sha256: DINOV2_SHA256,
  urls: ["https://dl.fbaipublicfiles.com/dinov2/dinov2_vitl14/dinov2_vitl14_pretrain.pth"],
};

/** Where published weights are kept once they are fetched. */
export function dinoV2Path(): string {
  return publishedPath(PUBLISHED);
}

/**
 * DINOv2's features.
 *
 * @param file A PyTorch or safetensors file of the weights of facebookresearch/dinov2 or of Hugging
 *   Face's `Dinov2Model`, of any size; the published ViT-L/14 unless given, which is downloaded where it
 *   is not in the cache.
 * @throws {Error} When there are no weights, or the file is damaged or another network's.
 */
export async function loadDinoV2(
  gpu: Gpu,
  file: string | undefined,
  say: (line: string) => void,
): Promise<DinoV2Features> {
  const instead = "or give eval and stats its place by --dinov2-weights FILE";
  const path = file ?? await fetchPublished(PUBLISHED, instead, { say });
  const { tensors } = await readSource(path);
  const state = new Map<string, StateTensor>();
  for (const [name, tensor] of tensors) {
    // Read when it is wanted: the weights take more than a gigabyte.
    state.set(name, {
      shape: tensor.shape,
      get data() {
        return toF32(tensor.read());
      },
    });
  }
  return await DinoV2Features.create(gpu, state, await sha256File(path));
}
