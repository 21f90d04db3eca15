/**
 * EDM2's network from the arguments of its preconditioner's constructor, as NVlabs/edm2 names them.
 *
 * @module
 */
import type { NetworkShape } from "../../network.ts";
import type { PythonArguments } from "../edm/arguments.ts";
import type { Edm2Options } from "./options.ts";

/** What a preconditioner makes. */
export interface Edm2Description {
  readonly options: { readonly name: "edm2" } & Edm2Options;
  readonly shape: NetworkShape;
}

/** Options of the network that the arguments ask for; what they leave out is as the class has it. */
export function fromEdm2Arguments(args: PythonArguments): Edm2Description {
  const given = <T>(key: string, otherwise: T) => (args[key] ?? otherwise) as T;
  const side = given("img_resolution", 0);
  const multipliers = given("channel_mult", [1, 2, 3, 4]);
  const resolutions = given("attn_resolutions", [16, 8]);
  return {
    options: {
      name: "edm2",
      channels: given("model_channels", 192),
      channelMultipliers: multipliers,
      noiseMultiplier: given<number | null>("channel_mult_noise", null),
      embeddingMultiplier: given<number | null>("channel_mult_emb", null),
      blocks: given("num_blocks", 3),
      attentionLevels: multipliers.flatMap((_, level) =>
        resolutions.includes(side >> level) ? [level] : []
      ),
      headChannels: given("channels_per_head", 64),
      dropout: given("dropout", 0),
      classes: given("label_dim", 0),
      labelDropout: 0,
      labelBalance: given("label_balance", 0.5),
      concatBalance: given("concat_balance", 0.5),
      residualBalance: given("res_balance", 0.3),
      attentionBalance: given("attn_balance", 0.3),
      clip: args.clip_act === null ? null : given("clip_act", 256),
      resampleFilter: given("resample_filter", [1, 1]),
      uncertaintyFeatures: given("logvar_channels", 128),
    },
    shape: {
      ...{ height: side, width: side },
      ...{ channels: given("img_channels", 3), timesteps: 1000 },
    },
  };
}
