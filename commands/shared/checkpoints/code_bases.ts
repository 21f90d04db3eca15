/**
 * Which code base a file's tensors come from, told from their names.
 *
 * @module
 */
import { TIME_TABLE } from "../../../model/networks/ho2020/names/pytorch_ddpm.ts";
import { GUIDED_ANCHOR } from "../../../model/networks/guided/names/shapes.ts";
import type { Source } from "./source.ts";
import { hasWeights } from "./weight_sets.ts";

/** A tensor that every `UNet2DModel` of diffusers has once. */
export const DIFFUSERS_ANCHOR = "time_embedding.linear_1.weight";

/** A tensor that every `AutoencoderKL` of diffusers has once. */
const AUTOENCODER_ANCHOR = "encoder.conv_norm_out.weight";

/** A tensor that every transformer of facebookresearch/DiT has once. */
export const DIT_ANCHOR = "x_embedder.proj.weight";
/** Part of names in its blocks. */
const DIT_BLOCKS = ".adaLN_modulation.";

/** A tensor that every U-Net of lucidrains/denoising-diffusion-pytorch has once. */
export const LUCID_ANCHOR = "init_conv.weight";
/** Part of names in its blocks. */
const LUCID_BLOCKS = "downs.0.0.block1.proj.weight";

/** A tensor that every U-Net of yiyixuxu/denoising-diffusion-flax has once. */
export const FLAX_ANCHOR = "init.conv_0.kernel";
/** Another one, in its blocks. */
const FLAX_BLOCKS = "down_0.resblock_0.conv_0.kernel";

/** Tensors that every `FullUNet` of xianyingkong/dsc-capstone-b05 has once, the first with one name alone. */
export const FULL_ANCHOR = "te_mid.0.weight";
/** Another one. */
const FULL_BLOCKS = "b_mid.0.bn.running_var";

/** What the tensors of a code base have among their names; the first that fits is the one. */
const NAMES: readonly (readonly [title: string, ...all: RegExp[]])[] = [
  [
    "a diffusers UNet2DConditionModel (a network that is told a text)",
    /(^|\.)time_embedding\.linear_1\.weight$/,
    /\.attn2\.to_k\.weight$/,
  ],
  ["CompVis/latent-diffusion", /(^|\.)diffusion_model\.input_blocks\.0\.0\.weight$/],
  ["yang-song/score_sde_pytorch", /(^|\.)all_modules\.0\.(weight|bias|W)$/],
  ["NVlabs/edm", /(^|\.)model\.enc\.\d+x\d+_(conv|block0)\b/],
  [
    "pesser/pytorch_diffusion or ermongroup/ddim",
    /(^|\.)temb\.dense\.0\.weight$/,
    /(^|\.)down\.0\.block\.0\.norm1\.weight$/,
  ],
];

/** What a file holds. */
export interface Recognised {
  /** The code bases that can be taken over; null for others. */
  readonly known:
    | "pytorch-ddpm"
    | "diffusers"
    | "dit"
    | "guided-diffusion"
    | "lucid"
    | "lucid-flax"
    | "full"
    | null;
  /** What a person would call it; null where nothing fits. */
  readonly title: string | null;
}

/** Tells the code base of a file's tensors. */
export function recognise(source: Pick<Source, "tensors">): Recognised {
  if (hasWeights(source, TIME_TABLE)) {
    return { known: "pytorch-ddpm", title: "w86763777/pytorch-ddpm" };
  }
  const names = [...source.tensors.keys()];
  if (hasWeights(source, DIT_ANCHOR) && names.some((name) => name.includes(DIT_BLOCKS))) {
    return { known: "dit", title: "facebookresearch/DiT" };
  }
  if (hasWeights(source, LUCID_ANCHOR) && hasWeights(source, LUCID_BLOCKS)) {
    return { known: "lucid", title: "lucidrains/denoising-diffusion-pytorch" };
  }
  if (hasWeights(source, FLAX_ANCHOR) && hasWeights(source, FLAX_BLOCKS)) {
    return { known: "lucid-flax", title: "yiyixuxu/denoising-diffusion-flax" };
  }
  if (hasWeights(source, FULL_ANCHOR) && hasWeights(source, FULL_BLOCKS)) {
    return { known: "full", title: "xianyingkong/dsc-capstone-b05" };
  }
  const [title] = NAMES.find(([, ...all]) => all.every((one) => names.some((n) => one.test(n)))) ??
    [];
  if (title !== undefined) return { known: null, title };
  if (hasWeights(source, DIFFUSERS_ANCHOR)) {
    return { known: "diffusers", title: "a diffusers UNet2DModel" };
  }
  if (hasWeights(source, AUTOENCODER_ANCHOR)) {
    return { known: "diffusers", title: "a diffusers AutoencoderKL" };
  }
  if (hasWeights(source, GUIDED_ANCHOR)) {
    return { known: "guided-diffusion", title: "openai/guided-diffusion" };
  }
  return { known: null, title: null };
}
