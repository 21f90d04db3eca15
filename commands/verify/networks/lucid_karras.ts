/**
 * Recorded `KarrasUnet`s of lucidrains' denoising-diffusion-pytorch.
 *
 * @module
 */
import { lucidKarrasNames } from "../../../model/networks/lucid_karras/names.ts";
import { KarrasUNet } from "../../../model/networks/lucid_karras/unet.ts";
import { createNetwork } from "../../../model/networks/registry.ts";
import { Unsupported } from "../golden.ts";
import type { RecordedNetwork } from "../recorded_network.ts";
import type { Pass } from "../replayed_pass.ts";

/** Arguments of its constructor, with what it takes unless given. */
const DEFAULTS = {
  image_size: 0,
  dim: 192,
  dim_max: 768,
  num_classes: null as number | null,
  channels: 4,
  num_downsamples: 3,
  num_blocks_per_stage: 4,
  attn_res: [16, 8] as number | readonly number[],
  fourier_dim: 16,
  attn_dim_head: 64,
  attn_flash: false,
  mp_cat_t: 0.5,
  mp_add_emb_t: 0.5,
  attn_res_mp_add_t: 0.3,
  /** The recorded code takes it and adds in blocks by 0.3 whatever it is. */
  resnet_mp_add_t: 0.3,
  dropout: 0.1,
  self_condition: false,
};

/** `KarrasUnet` of karras_unet.py. */
export const LUCID_KARRAS_UNET: RecordedNetwork = {
  family: "lucid-karras",
  rebuild(golden) {
    const given = golden.manifest.config as Partial<typeof DEFAULTS>;
    const strange = Object.keys(given).find((key) => !(key in DEFAULTS));
    if (strange) throw new Unsupported(`${strange} of the network's configuration is not known`);
    const config = { ...DEFAULTS, ...given };
    const network = createNetwork({
      name: "lucid-karras",
      channels: config.dim,
      mostChannels: config.dim_max,
      halvings: config.num_downsamples,
      blocks: config.num_blocks_per_stage,
      attentionSizes: [config.attn_res].flat() as number[],
      fourierChannels: config.fourier_dim,
      headChannels: config.attn_dim_head,
      dropout: config.dropout,
      selfCondition: config.self_condition,
      classes: config.num_classes ?? 0,
      skipShare: config.mp_cat_t,
      classShare: config.mp_add_emb_t,
      attentionShare: config.attn_res_mp_add_t,
      blockShare: DEFAULTS.resnet_mp_add_t,
    }, {
      height: config.image_size,
      width: config.image_size,
      channels: config.channels,
      timesteps: 1000,
    });
    if (!(network instanceof KarrasUNet)) throw new Unsupported("such a KarrasUnet is not known");
    const names = lucidKarrasNames(network);
    const forward = (pass: Pass) =>
      network.forward(pass.graph, {
        x: pass.image("x"),
        level: pass.level("t"),
        ...(network.options.classes > 0 ? { labels: pass.indices("y") } : {}),
        ...selfConditionIn(pass),
      });
    return {
      network,
      names,
      layers: {
        // What goes into these layers is scaled there, and their weights are here.
        factor: (name, given) =>
          name === "to_time_emb"
            ? given / Math.SQRT2
            : name === "to_class_emb"
            ? given / Math.sqrt(network.options.classes)
            : given,
      },
      passes: {
        "": (pass) => ({ out: forward(pass) }),
        "train": (pass) => ({ out: forward(pass) }),
      },
    };
  },
};

/** The image predicted before, by the name that either code has for it. */
function selfConditionIn(pass: Pass) {
  const name = ["self_cond", "x_self_cond"].find((name) => pass.has(name));
  return name === undefined ? {} : { selfCondition: pass.constant(name) };
}
