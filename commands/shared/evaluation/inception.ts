/**
 * Where Inception's weights come from: a file, the cache or the network.
 *
 * @module
 */
import { type RemoteFile, sha256File } from "../../../data/fetching/download.ts";
import type { Gpu } from "../../../device/gpu.ts";
import {
  InceptionFeatures,
  type InceptionResize,
  PUBLISHED_SHA256,
} from "../../../metrics/judges/features/inception_features.ts";
import {
  inceptionWeights,
  type StateTensor,
} from "../../../metrics/judges/features/inception_weights.ts";
import { toF32 } from "../checkpoints/floats.ts";
import { readSource } from "../checkpoints/source.ts";
import { fetchPublished, publishedPath } from "./published.ts";
import { exists } from "../../../support/files.ts";

/** The weights of pytorch-fid, converted from TensorFlow's network of 2015-12-05. */
const PUBLISHED: RemoteFile = {
  name: "pt_inception-2015-12-05-6726825d.pth",
  bytes: 95_628_359,
  sha256: PUBLISHED_SHA256,
  urls: [
    "https://github.com/mseitzer/pytorch-fid/releases/download/fid_weights/pt_inception-2015-12-05-6726825d.pth",
  ],
};

/** Where published weights are kept once they are fetched. */
export function inceptionPath(): string {
  return publishedPath(PUBLISHED);
}

/** Whether published weights are at hand. */
export function hasInception(): Promise<boolean> {
  return exists(inceptionPath());
}

/**
 * Inception's features.
 *
 * @param file A PyTorch or safetensors file of its state_dict; the published one unless given, which
 *   is downloaded where it is not in the cache.
 * @throws {Error} When there are no weights, or the file is damaged or another network's.
 */
export async function loadInception(
  gpu: Gpu,
  file: string | undefined,
  say: (line: string) => void,
  resize: InceptionResize = "tensorflow",
): Promise<InceptionFeatures> {
  const instead = "or give eval and stats its place by --inception-weights FILE";
  const path = file ?? await fetchPublished(PUBLISHED, instead, { say });
  const { tensors } = await readSource(path);
  const state = new Map<string, StateTensor>();
  for (const [name, tensor] of tensors) {
    // Counters of seen batches are integers, and no weights.
    if (name.endsWith("num_batches_tracked")) continue;
    state.set(name, { shape: tensor.shape, data: toF32(tensor.read()) });
  }
  return new InceptionFeatures(gpu, inceptionWeights(state), await sha256File(path), resize);
}
