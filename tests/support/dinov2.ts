/**
 * Small DINOv2 networks of random weights, under the names of facebookresearch/dinov2.
 *
 * @module
 */
import { sizeOf } from "../../device/tensor.ts";
import { writeSafetensors } from "../../formats/safetensors.ts";
import type { StateTensor } from "../../metrics/judges/features/inception_weights.ts";
import { randomValues } from "./gpu.ts";

/** Sizes of a network. */
export interface DinoV2Sizes {
  readonly channels: number;
  readonly depth: number;
  readonly hidden: number;
  /** Places along a side that the table of positions is of. */
  readonly side: number;
  readonly patch: number;
}

/** Two heads in one block, few enough tokens for a CPU driver. */
export const SMALL: DinoV2Sizes = { channels: 128, depth: 1, hidden: 96, side: 3, patch: 28 };

/** Weights by name. */
export function dinoV2State(
  { channels, depth, hidden, side, patch }: DinoV2Sizes,
  { gated = false, seed = 1 }: { readonly gated?: boolean; readonly seed?: number } = {},
): Map<string, StateTensor> {
  const state = new Map<string, StateTensor>();
  const put = (name: string, ...shape: number[]) => {
    const fanIn = sizeOf(shape) / shape[0]!;
    const scale = shape.length === 1 ? 0.5 : 1 / Math.sqrt(fanIn);
    state.set(name, { shape, data: randomValues(sizeOf(shape), seed + state.size, scale) });
  };
  const layer = (name: string, inputs: number, outputs: number) => {
    put(`${name}.weight`, outputs, inputs);
    put(`${name}.bias`, outputs);
  };
  const norm = (name: string) => ["weight", "bias"].forEach((p) => put(`${name}.${p}`, channels));
  put("cls_token", 1, 1, channels);
  put("pos_embed", 1, 1 + side * side, channels);
  put("mask_token", 1, channels);
  put("patch_embed.proj.weight", channels, 3, patch, patch);
  put("patch_embed.proj.bias", channels);
  for (let i = 0; i < depth; i++) {
    const at = `blocks.${i}`;
    norm(`${at}.norm1`);
    layer(`${at}.attn.qkv`, channels, 3 * channels);
    layer(`${at}.attn.proj`, channels, channels);
    put(`${at}.ls1.gamma`, channels);
    norm(`${at}.norm2`);
    layer(`${at}.mlp.${gated ? "w12" : "fc1"}`, channels, gated ? 2 * hidden : hidden);
    layer(`${at}.mlp.${gated ? "w3" : "fc2"}`, hidden, channels);
    put(`${at}.ls2.gamma`, channels);
  }
  norm("norm");
  return state;
}

/** The same as a safetensors file. */
export function dinoV2File(state: ReadonlyMap<string, StateTensor>): Uint8Array<ArrayBuffer> {
  return writeSafetensors(
    Array.from(
      state,
      ([name, { shape, data }]) =>
        [name, { dtype: "F32", shape, data: Float32Array.from(data) }] as const,
    ),
    {},
  );
}

/** A state under the names of Hugging Face's `Dinov2Model`, with attention's inputs apart. */
export function transformersState(
  state: ReadonlyMap<string, StateTensor>,
): Map<string, StateTensor> {
  const theirs = new Map<string, StateTensor>();
  for (const [name, tensor] of state) {
    const [, block, rest = ""] = /^blocks\.(\d+)\.(.*)$/.exec(name) ?? [];
    const at = `encoder.layer.${block}`;
    if (block === undefined) theirs.set(OUTSIDE[name]!, tensor);
    else if (rest.startsWith("attn.qkv.")) {
      const part = rest.slice("attn.qkv.".length), values = Float32Array.from(tensor.data);
      const shape = [tensor.shape[0]! / 3, ...tensor.shape.slice(1)], length = sizeOf(shape);
      ["query", "key", "value"].forEach((one, i) =>
        theirs.set(`${at}.attention.attention.${one}.${part}`, {
          shape,
          data: values.slice(i * length, (i + 1) * length),
        })
      );
    } else {
      const inside = rest.replace("attn.proj", "attention.output.dense")
        .replace(/^ls(\d)\.gamma/, "layer_scale$1.lambda1")
        .replace("mlp.w12", "mlp.weights_in").replace("mlp.w3", "mlp.weights_out");
      theirs.set(`${at}.${inside}`, tensor);
    }
  }
  return theirs;
}

const OUTSIDE: Readonly<Record<string, string>> = {
  "cls_token": "embeddings.cls_token",
  "pos_embed": "embeddings.position_embeddings",
  "mask_token": "embeddings.mask_token",
  "patch_embed.proj.weight": "embeddings.patch_embeddings.projection.weight",
  "patch_embed.proj.bias": "embeddings.patch_embeddings.projection.bias",
  "norm.weight": "layernorm.weight",
  "norm.bias": "layernorm.bias",
};
