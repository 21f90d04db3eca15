/**
 * The recorded PyTorch U-Net, rebuilt from its configuration and weights.
 *
 * @module
 */
import type { Arena } from "../../device/arena.ts";
import type { Gpu } from "../../device/gpu.ts";
import { fromStateDict, TIME_TABLE } from "../../model/networks/ho2020/names/pytorch_ddpm.ts";
import { createArena, writeArenas } from "../../model/parameters.ts";
import { UNet } from "../../model/networks/ho2020/unet.ts";
import { type GoldenFile, Unsupported } from "./golden.ts";

/** Configuration as the PyTorch code names it. */
interface RecordedConfig {
  readonly T: number;
  readonly ch: number;
  readonly ch_mult: number[];
  readonly attn: number[];
  readonly num_res_blocks: number;
  readonly dropout: number;
  /** The PyTorch code always has 32; a reduced recording may have fewer. */
  readonly groups?: number;
}

const CONFIG_KEYS: readonly string[] = [
  "T",
  "ch",
  "ch_mult",
  "attn",
  "num_res_blocks",
  "dropout",
  "groups",
];

/** Builds the network of a unet family's manifest for images of `channels` channels, on its time table. */
export function recordedNetwork(golden: GoldenFile, channels: number): UNet {
  const config = golden.manifest.config as RecordedConfig;
  const strange = Object.keys(config).find((key) => !CONFIG_KEYS.includes(key));
  if (strange) throw new Unsupported(`${strange} of the network's configuration is not known`);
  const network = new UNet({
    name: "ho2020",
    channels: config.ch,
    channelMultipliers: config.ch_mult,
    attentionLevels: config.attn,
    blocks: config.num_res_blocks,
    dropout: config.dropout,
    groups: config.groups ?? 32,
    classes: 0,
    labelDropout: 0,
  }, { channels, timesteps: config.T });
  // The gradient of the layer behind it is as far off as the table is.
  network.timeEmbedding.table = golden.f32(`param/${TIME_TABLE}`);
  return network;
}

/** Values of a recorded state_dict (`prefix/NAME`) under our names. */
export function recordedValues(
  network: UNet,
  golden: GoldenFile,
  prefix: string,
): Map<string, Float32Array<ArrayBuffer>> {
  const tensors = new Map(
    golden.names.filter((name) => name.startsWith(`${prefix}/`)).map((name) => [
      name.slice(prefix.length + 1),
      { shape: golden.get(name).shape, data: golden.f32(name) },
    ]),
  );
  return fromStateDict(network, tensors);
}

/** An arena with the recorded initial weights. */
export function recordedWeights(gpu: Gpu, network: UNet, golden: GoldenFile): Arena {
  const weights = createArena(gpu, "weights", network);
  writeArenas(gpu, [weights], recordedValues(network, golden, "param"));
  return weights;
}
