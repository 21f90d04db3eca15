/**
 * DINOv2 at work as features: the class token of a vision transformer that was trained without labels.
 * Distances on them agree with people's eyes where Inception's do not (Stein et al. 2023,
 * arXiv 2306.04675), and are called FD-DINOv2.
 *
 * @module
 */
import { Graph } from "../../../autograd/graph.ts";
import type { Pixels } from "../../../data/dataset.ts";
import { resample } from "../../../data/pixels/resample.ts";
import type { Arena } from "../../../device/arena.ts";
import { Capture } from "../../../device/capture.ts";
import type { Gpu } from "../../../device/gpu.ts";
import type { Program } from "../../../device/program.ts";
import type { TensorRef } from "../../../device/tensor.ts";
import { createArena, parameterSlots, writeArenas } from "../../../model/parameters.ts";
import type { DinoV2Shape } from "./dinov2_network.ts";
import { dinoV2Weights } from "./dinov2_weights.ts";
import { type FeatureExtractor, type Features, slicePixels } from "./features.ts";
import type { StateDict } from "./inception_weights.ts";

/** SHA-256 of `dinov2_vitl14_pretrain.pth`, the weights whose numbers papers report. */
export const DINOV2_SHA256 = "d5383ea8f4877b2472eb973e0fd72d557c7da5d3611bd527ceeb1d7162cbf428";

/** Name of the features that papers take FD-DINOv2 on. */
export const DINOV2_NAME = "DINOv2 ViT-L/14";

/** Side of the images that the network sees. */
const SIDE = 224;
/** Mean and deviation of ImageNet's colours in [0, 1]. */
const MEAN = [0.485, 0.456, 0.406], DEVIATION = [0.229, 0.224, 0.225];
/** Images that run at once; fixed, so that features depend on the image alone. */
const BATCH = 8;

/**
 * DINOv2 on the GPU. Images are brought to 224 x 224 as dgm-eval does (the code of Stein et al. 2023):
 * by Pillow's antialiased bicubic, whatever their sides, and standardised by ImageNet's colours.
 */
export class DinoV2Features implements FeatureExtractor {
  readonly dimension: number;
  /** It tells no classes apart. */
  readonly classes = 0;

  private constructor(
    private readonly gpu: Gpu,
    readonly name: string,
    private readonly arena: Arena,
    private readonly program: Program,
    private readonly output: TensorRef,
  ) {
    this.dimension = output.shape[1]!;
  }

  /**
   * Uploads the weights and plans.
   *
   * @param sha256 Of the weights' file.
   * @throws {RangeError} When the weights are another network's.
   */
  static async create(gpu: Gpu, state: StateDict, sha256: string): Promise<DinoV2Features> {
    const { network, values } = dinoV2Weights(state, { height: SIDE, width: SIDE });
    const arena = createArena(gpu, "DINOv2", network);
    writeArenas(gpu, [arena], values);
    const capture = new Capture(gpu, "DINOv2");
    const graph = new Graph(capture, { parameters: parameterSlots(network, arena) });
    const x = graph.constant(capture.input("x", [BATCH, SIDE, SIDE, 3]));
    const output = capture.keep(network.forward(x).ref);
    const name = nameOf(network.shape, sha256);
    return new DinoV2Features(gpu, name, arena, await capture.plan(), output);
  }

  /** @throws {RangeError} When images have neither one channel nor three. */
  async extract(pixels: Pixels): Promise<Features> {
    const { count, channels } = pixels, size = SIDE * SIDE * 3;
    if (channels !== 1 && channels !== 3) {
      throw new RangeError(
        `Cannot judge images by ${this.name}: they must have 1 or 3 channels, got ${channels}`,
      );
    }
    const features = new Float32Array(count * this.dimension);
    const x = new Float32Array(BATCH * size);
    for (let first = 0; first < count; first += BATCH) {
      const batch = slicePixels(pixels, first, BATCH);
      // Places beyond the last image keep older ones; their results are dropped.
      x.set(standardised(resample(batch, SIDE, SIDE, "bicubic")));
      this.program.run({ x });
      const found = await this.program.readF32(this.output);
      features.set(found.subarray(0, batch.count * this.dimension), first * this.dimension);
    }
    return { features, probabilities: new Float32Array(0) };
  }

  destroy(): void {
    this.program.destroy();
    this.arena.destroy(this.gpu);
  }
}

function nameOf({ patch, channels, depth }: DinoV2Shape, sha256: string): string {
  if (sha256 === DINOV2_SHA256) return DINOV2_NAME;
  return `DINOv2 of ${depth} blocks, ${channels} channels, patches of ${patch} (${
    sha256.slice(0, 8)
  })`;
}

/** Bytes as the network sees them, grey ones three times: `[count, height, width, 3]`. */
export function standardised({ images, channels }: Pixels): Float32Array<ArrayBuffer> {
  const copies = 3 / channels;
  return Float32Array.from({ length: images.length * copies }, (_, i) => {
    const c = i % 3;
    return (images[channels === 3 ? i : Math.floor(i / 3)]! / 255 - MEAN[c]!) / DEVIATION[c]!;
  });
}
