/**
 * EDM's networks from the arguments of their preconditioners' constructors, as NVlabs/edm names them.
 *
 * @module
 */
import type { NetworkShape } from "../../network.ts";
import { ARCHITECTURES, type EdmOptions } from "./options.ts";

/** Arguments by name. */
export type PythonArguments = Readonly<Record<string, unknown>>;

/** What a preconditioner makes. */
export interface EdmDescription {
  readonly options: { readonly name: "edm" } & EdmOptions;
  readonly shape: NetworkShape;
}

/**
 * Options of the network that the arguments ask for; what they leave out is as the classes have it.
 *
 * @param precond Name of the preconditioner's class.
 * @throws {RangeError} When the network is none of these two.
 */
export function fromEdmArguments(precond: string, args: PythonArguments): EdmDescription {
  const number = (key: string, otherwise: number) => Number(args[key] ?? otherwise);
  const list = (key: string, otherwise: number[]) => (args[key] ?? otherwise) as number[];
  const known = ["SongUNet", "DhariwalUNet"];
  const type = String(args.model_type ?? "DhariwalUNet");
  if (!known.includes(type)) {
    throw new RangeError(
      `Cannot make a network of EDM: model_type must be ${known.join(" or ")}, got ${type}`,
    );
  }
  const song = type === "SongUNet";
  const side = number("img_resolution", 0);
  const multipliers = list("channel_mult", song ? [1, 2, 2, 2] : [1, 2, 3, 4]);
  const resolutions = list("attn_resolutions", song ? [16] : [32, 16, 8]);
  return {
    options: {
      name: "edm",
      architecture: ARCHITECTURES[song ? 0 : 1],
      channels: number("model_channels", song ? 128 : 192),
      channelMultipliers: multipliers,
      embeddingMultiplier: number("channel_mult_emb", 4),
      blocks: number("num_blocks", song ? 4 : 3),
      attentionLevels: multipliers.flatMap((_, level) =>
        resolutions.includes(side >> level) ? [level] : []
      ),
      dropout: number("dropout", 0.1),
      classes: number("label_dim", 0),
      labelDropout: number("label_dropout", 0),
      augmentNumbers: number("augment_dim", 0),
      learnedVariance: precond === "iDDPMPrecond",
      noiseMultiplier: number("channel_mult_noise", 1),
      embedding: (args.embedding_type ?? "positional") as EdmOptions["embedding"],
      encoder: (args.encoder_type ?? "standard") as EdmOptions["encoder"],
      decoder: (args.decoder_type ?? "standard") as EdmOptions["decoder"],
      resampleFilter: list("resample_filter", [1, 1]),
    },
    shape: { height: side, width: side, channels: number("img_channels", 3), timesteps: 1000 },
  };
}
