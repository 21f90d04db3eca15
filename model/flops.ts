/**
 * Work of a forward pass in multiply-adds: convolutions, linear layers and attention's two matrix
 * products, for one image. A multiply-add counts as two floating-point operations; normalisations,
 * activations and additions are left out, as usual.
 *
 * @module
 */
import type { AttentionBlock, ResidualBlock } from "./blocks.ts";
import type { Conv2d, Linear } from "./layers.ts";
import type { TimeEmbedding } from "./time_embedding.ts";

/** A convolution, by the size of its output. */
export function convolutionMultiplyAdds(layer: Conv2d, height: number, width: number): number {
  return layer.kernel ** 2 * layer.inputs * layer.outputs * height * width;
}

/** A linear layer on one row. */
export function linearMultiplyAdds(layer: Linear): number {
  return layer.inputs * layer.outputs;
}

/** Attention over all pixels of an image: four projections, scores and weighted sums. */
export function attentionMultiplyAdds(
  block: AttentionBlock,
  height: number,
  width: number,
): number {
  const projections = [block.query, block.key, block.value, block.output];
  return total(projections, (layer) => convolutionMultiplyAdds(layer, height, width)) +
    2 * (height * width) ** 2 * block.channels;
}

/** A residual block with all that belongs to it. */
export function residualMultiplyAdds(
  block: ResidualBlock,
  height: number,
  width: number,
): number {
  const { conv1, conv2, shortcut, attention, time } = block;
  const convolutions = [conv1, conv2, ...(shortcut ? [shortcut] : [])];
  return total(convolutions, (layer) => convolutionMultiplyAdds(layer, height, width)) +
    linearMultiplyAdds(time) +
    (attention ? attentionMultiplyAdds(attention, height, width) : 0);
}

/** The perceptron of a time embedding. */
export function timeEmbeddingMultiplyAdds(embedding: TimeEmbedding): number {
  return linearMultiplyAdds(embedding.first) + linearMultiplyAdds(embedding.second);
}

/** The sum of `count` over a list. */
export function total<T>(list: readonly T[], count: (item: T) => number): number {
  return list.reduce((sum, item) => sum + count(item), 0);
}
