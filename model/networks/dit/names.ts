/**
 * The names of facebookresearch/DiT.
 *
 * @module
 */
import { namedParameters } from "../../module.ts";
import { type PytorchEntry, type PytorchLayout, pytorchParameter } from "../../names/pytorch.ts";
import type { DiT } from "./dit.ts";

/** The table of positions, which is not learnt. */
export const POSITIONS = "pos_embed";

/** Ours and theirs, in the order of their `state_dict`. */
const NAMES: readonly (readonly [ours: RegExp, theirs: string, layout?: PytorchLayout])[] = [
  [/^patches\.(weight|bias)$/, "x_embedder.proj.$1"],
  [/^timeEmbedding\.first\.weight$/, "t_embedder.mlp.0.weight", "cosines-first"],
  [/^timeEmbedding\.first\.bias$/, "t_embedder.mlp.0.bias"],
  [/^timeEmbedding\.second\.(weight|bias)$/, "t_embedder.mlp.2.$1"],
  [/^classEmbedding\.table$/, "y_embedder.embedding_table.weight", "table"],
  [/^blocks\.(\d+)\.attentionInputs\.(weight|bias)$/, "blocks.$1.attn.qkv.$2"],
  [/^blocks\.(\d+)\.attentionOutput\.(weight|bias)$/, "blocks.$1.attn.proj.$2"],
  [/^blocks\.(\d+)\.hidden\.(weight|bias)$/, "blocks.$1.mlp.fc1.$2"],
  [/^blocks\.(\d+)\.output\.(weight|bias)$/, "blocks.$1.mlp.fc2.$2"],
  [/^blocks\.(\d+)\.modulation\.(weight|bias)$/, "blocks.$1.adaLN_modulation.1.$2"],
  [/^final\.linear\.(weight|bias)$/, "final_layer.linear.$1"],
  [/^final\.modulation\.(weight|bias)$/, "final_layer.adaLN_modulation.1.$1"],
];

/**
 * Every entry of the `state_dict`.
 *
 * @param size Images that the positions are of, in pixels.
 */
export function ditNames(
  network: DiT,
  { height, width }: { readonly height: number; readonly width: number },
): PytorchEntry[] {
  const { patchSize, channels } = network.options;
  const tokens = height / patchSize * (width / patchSize);
  const positions = {
    ...{ kind: "constant", pytorchName: POSITIONS, pytorchShape: [1, tokens, channels] } as const,
  };
  const parameters = Array.from(namedParameters(network), ([name, { shape }]) => {
    const [ours, theirs, layout] = NAMES.find(([ours]) => ours.test(name))!;
    return pytorchParameter(name, name.replace(ours, theirs), shape, layout);
  });
  return [positions, ...parameters];
}
