/**
 * The network under the names of lucidrains' `KarrasUnet`.
 *
 * @module
 */
import { memoryNames } from "../../memories.ts";
import { namedParameters } from "../../module.ts";
import { type PytorchEntry, pytorchParameter } from "../../names/pytorch.ts";
import type { Block } from "./blocks.ts";
import type { KarrasUNet } from "./unet.ts";

/** Parameters of a block: ours, then theirs. */
function* block(ours: string, theirs: string, { options }: Block): Generator<[string, string]> {
  yield [
    `${ours}.shortcut.weight`,
    `${theirs}.${options.down ? "downsample_conv" : "res_conv"}.weight`,
  ];
  yield [`${ours}.condition.weight`, `${theirs}.to_emb.0.weight`];
  yield [`${ours}.gain.weight`, `${theirs}.to_emb.1.gain`];
  yield [`${ours}.conv1.weight`, `${theirs}.block1.1.weight`];
  yield [`${ours}.conv2.weight`, `${theirs}.block2.2.weight`];
  yield [`${ours}.attention.memories.weight`, `${theirs}.attn.mem_kv`];
  yield [`${ours}.attention.projection.weight`, `${theirs}.attn.to_qkv.weight`];
  yield [`${ours}.attention.output.weight`, `${theirs}.attn.to_out.weight`];
}

/** Every tensor of the `state_dict`. */
export function lucidKarrasNames(network: KarrasUNet): PytorchEntry[] {
  const shapes = new Map(Array.from(namedParameters(network), ([name, p]) => [name, p.shape]));
  const entries: PytorchEntry[] = [];
  const add = (ours: string, theirs: string) => {
    const shape = shapes.get(ours);
    if (shape) entries.push(pytorchParameter(ours, theirs, shape, undefined));
  };
  add("head.weight", "input_block.weight");
  add("tail.weight", "output_block.0.weight");
  add("gain.weight", "output_block.1.gain");
  add("frequencies", "to_time_emb.0.weights");
  add("level.weight", "to_time_emb.1.weight");
  add("labels.weight", "to_class_emb.weight");
  for (const [way, there] of [["down", "downs"], ["up", "ups"], ["middle", "mids"]] as const) {
    for (const [i, one] of network[way].entries()) {
      for (const [ours, theirs] of block(`${way}.${i}`, `${there}.${i}`, one)) {
        const shape = shapes.get(ours);
        if (shape && ours.endsWith("memories.weight")) {
          entries.push(
            memoryNames(ours, shape, theirs, { heads: one.attention!.heads, full: true }),
          );
        } else add(ours, theirs);
      }
    }
  }
  return entries;
}
