/**
 * What tells of a network, as files that are mutated: snapshots, names and shapes of tensors, flags and
 * configs.
 *
 * @module
 */
import { recognise } from "../../commands/shared/checkpoints/code_bases.ts";
import { importDit } from "../../commands/shared/checkpoints/dit.ts";
import { edmSnapshot } from "../../commands/shared/checkpoints/edm.ts";
import { NO_FLAGS, parseFlagfile } from "../../commands/shared/checkpoints/flagfile.ts";
import { importGuided } from "../../commands/shared/checkpoints/guided_diffusion.ts";
import { importLucid } from "../../commands/shared/checkpoints/lucid.ts";
import { importPytorchDdpm } from "../../commands/shared/checkpoints/pytorch_ddpm.ts";
import {
  type Source,
  sourceOf,
  type SourceTensor,
} from "../../commands/shared/checkpoints/source.ts";
import { flagOverrides } from "../../commands/train/flagfile.ts";
import { parseJson } from "../../config/json.ts";
import { isSection } from "../../config/keys.ts";
import { parseConfig } from "../../config/load.ts";
import type { StoredTensor } from "../../formats/safetensors.ts";
import type { PytorchEntry } from "../../model/names/pytorch.ts";
import { DiT } from "../../model/networks/dit/dit.ts";
import { ditNames } from "../../model/networks/dit/names.ts";
import { fromEdmArguments } from "../../model/networks/edm/arguments.ts";
import { fromEdm2Arguments } from "../../model/networks/edm2/arguments.ts";
import { guidedNames } from "../../model/networks/guided/names/guided_diffusion.ts";
import { GuidedUNet } from "../../model/networks/guided/unet.ts";
import { pytorchNames } from "../../model/networks/ho2020/names/pytorch_ddpm.ts";
import { UNet } from "../../model/networks/ho2020/unet.ts";
import { lucidNames } from "../../model/networks/lucid/names.ts";
import { LucidUNet } from "../../model/networks/lucid/unet.ts";
import { optionsOf } from "../../training/autoencoder_file.ts";
import { networkOf } from "../../training/run.ts";
import type { FuzzFormat, FuzzSeed, ReadArray } from "./format.ts";
import type { Random } from "./mutate.ts";

/** Formats that tell of networks. */
export const NETWORK_FORMATS = {
  "edm-snapshot": {
    read: readSnapshot,
    recorded: { folder: "formats", suffix: ".pkl" },
  },
  "state-dicts": { read: readStateDict, made: madeStateDicts, mutateInside: mutateShapes },
  "flagfile": { read: readFlags, made: madeFlags },
  "autoencoder-configs": {
    read: (bytes) => {
      optionsOf(section(bytes), "vae");
      return [];
    },
    made: madeAutoencoders,
  },
} as const satisfies Record<string, FuzzFormat>;

function* readSnapshot(bytes: Uint8Array): Generator<StoredTensor> {
  const source = sourceOf("x.pkl", bytes);
  const snapshot = edmSnapshot(source);
  if (snapshot?.precond === "Precond") fromEdm2Arguments(snapshot.args);
  else if (snapshot) fromEdmArguments(snapshot.precond, snapshot.args);
  for (const tensor of source.tensors.values()) yield tensor.read();
}

function section(bytes: Uint8Array): Readonly<Record<string, unknown>> {
  const value = parseJson(new TextDecoder().decode(bytes), "file");
  if (isSection(value)) return value;
  throw new SyntaxError("Cannot read file: it must be an object of JSON");
}

/** Takes a network over whose tensors have these names and shapes, and nothing but zeros. */
function readStateDict(bytes: Uint8Array): ReadArray[] {
  const tensors = new Map<string, SourceTensor>();
  for (const [name, shape] of Object.entries(section(bytes))) {
    const sizes = Array.isArray(shape) && shape.every((n) => Number.isSafeInteger(n) && n >= 0);
    if (!sizes) throw new SyntaxError(`Cannot read file: ${JSON.stringify(name)} must have sizes`);
    const count = shape.reduce((product, n) => product * n, 1);
    const read = () => ({ dtype: "F32", shape, data: new Float32Array(Math.min(count, 1 << 20)) });
    tensors.set(name, { dtype: "F32", shape, read } as SourceTensor);
  }
  const source: Source = {
    ...{ path: "x.pt", byteLength: bytes.length, tensors },
    ...{ facts: new Map(), marks: new Map() },
  };
  const { known } = recognise(source);
  const overrides = known === "dit" ? [["model.heads", "4"] as const] : [];
  const options = { flags: NO_FLAGS, overrides };
  if (known === "dit") importDit(source, options);
  else if (known === "guided-diffusion") importGuided(source, options);
  else if (known === "lucid") importLucid(source, options);
  else if (known === "pytorch-ddpm") importPytorchDdpm(source, options);
  else throw new SyntaxError("Cannot read file: it must hold a network that is known");
  return [];
}

function madeStateDicts(): FuzzSeed[] {
  const models: Readonly<Record<string, unknown>>[] = [
    { name: "ho2020", channels: 32, channelMultipliers: [1, 2], blocks: 1 },
    { name: "guided", channels: 32, channelMultipliers: [1, 2], blocks: 1 },
    { name: "lucid", channels: 16, channelMultipliers: [1, 2] },
    { name: "dit", patchSize: 4, channels: 64, depth: 1, heads: 4 },
  ];
  return models.map((model) => {
    const tree = JSON.stringify({ data: { name: "cifar10" }, model });
    const entries = entriesOf(networkOf(parseConfig(tree, { path: "seed" })));
    const shapes = entries.map(({ pytorchName, pytorchShape }) => [pytorchName, pytorchShape]);
    const text = JSON.stringify(Object.fromEntries(shapes));
    return { name: `${model.name}.json`, bytes: new TextEncoder().encode(text) };
  });
}

const SIZES = [0, 1, 2, 3, 4, 7, 8, 16, 33, 64, 128, 1 << 20, 2 ** 31, 2 ** 53 - 1];

/** Changes, drops, renames or adds a tensor, or puts a word before all names. */
function mutateShapes(bytes: Uint8Array, _: Uint8Array, random: Random): Uint8Array {
  const entries = Object.entries(section(bytes)) as [string, number[]][];
  const at = random.below(entries.length), [name, shape] = entries[at]!;
  const changes: (() => [string, number[]][])[] = [
    () => entries.with(at, [name, shape.with(random.below(shape.length), random.pick(SIZES))]),
    () => entries.with(at, [name, [...shape.slice(1), random.pick(SIZES)].slice(random.below(3))]),
    () => entries.toSpliced(at, 1),
    () => entries.with(at, [name.replace(/\d+/, `${random.pick(SIZES)}`), shape]),
    () => [...entries, [`other.${name}`, [random.pick(SIZES)]]],
    () => entries.map(([name, shape]) => [`module.${name}`, shape]),
    () => entries.map(([name, shape]) => [name, shape.map((n) => n === 32 ? 64 : n)]),
  ];
  const changed = random.pick(changes)();
  return new TextEncoder().encode(JSON.stringify(Object.fromEntries(changed)));
}

function entriesOf(network: unknown): readonly PytorchEntry[] {
  if (network instanceof UNet) return pytorchNames(network);
  if (network instanceof GuidedUNet) return guidedNames(network);
  if (network instanceof LucidUNet) return lucidNames(network);
  if (network instanceof DiT) return ditNames(network, { height: 32, width: 32 });
  throw new TypeError("Cannot make seeds: the network must have names elsewhere");
}

/** Flags of training and of converting. */
function readFlags(bytes: Uint8Array): ReadArray[] {
  const text = new TextDecoder().decode(bytes), say = () => {};
  parseConfig("{}", {
    path: "flags",
    overrides: flagOverrides(text, "flags", say),
    clock: { say },
  });
  parseFlagfile(text);
  return [];
}

function madeFlags(): FuzzSeed[] {
  const flags = [
    ...["--T=1000", "--attn=1", "--batch_size=128", "--beta_1=0.0001", "--beta_T=0.02", "--ch=128"],
    ...["--ch_mult=1", "--ch_mult=2", "--dropout=0.1", "--ema_decay=0.9999", "--grad_clip=1.0"],
    ...["--img_size=32", "--logdir=./logs/x", "--lr=0.0002", "--mean_type=epsilon", "--noparallel"],
    ...["--total_steps=800000", "--warmup=5000", "--var_type=fixedlarge", "# a comment", ""],
  ];
  return [{ name: "flags.txt", bytes: new TextEncoder().encode(flags.join("\n")) }];
}

function madeAutoencoders(): FuzzSeed[] {
  const config = {
    ...{ _class_name: "AutoencoderKL", act_fn: "silu", in_channels: 3, out_channels: 3 },
    ...{ block_out_channels: [32, 64], latent_channels: 4, layers_per_block: 1 },
    ...{ down_block_types: ["DownEncoderBlock2D", "DownEncoderBlock2D"], norm_num_groups: 32 },
    ...{ up_block_types: ["UpDecoderBlock2D", "UpDecoderBlock2D"], scaling_factor: 0.18215 },
  };
  return [{ name: "vae.json", bytes: new TextEncoder().encode(JSON.stringify(config)) }];
}
