/**
 * The `ho2020` U-Net under the names of its PyTorch implementation, w86763777/pytorch-ddpm, in the
 * order of that code's `state_dict`. Its table of sinusoids is a frozen parameter, ours a constant.
 *
 * @module
 */
import { sinusoidTable } from "../../../time_embedding.ts";
import type { UNet } from "../unet.ts";
import {
  checkTensors,
  fromPytorch,
  type PytorchEntry,
  type PytorchTensor,
  toPytorch,
} from "../../../names/pytorch.ts";
import { type LayerName, type NameTable, tableEntries } from "./name_table.ts";

export { fromPytorch, toPytorch };
export type {
  PytorchConstant,
  PytorchEntry,
  PytorchLayout,
  PytorchParameter,
  PytorchTensor,
  Rearrangement,
} from "../../../names/pytorch.ts";

/** The name of the table `[T, ch]` of sinusoids. */
export const TIME_TABLE = "time_embedding.timembedding.0.weight";

/** Layers of a residual block: ours, theirs. */
function residual(path: string): LayerName[] {
  return [
    ["norm1", `${path}.block1.0`],
    ["conv1", `${path}.block1.2`],
    ["time", `${path}.temb_proj.1`],
    ["norm2", `${path}.block2.0`],
    ["conv2", `${path}.block2.3`],
    ["shortcut", `${path}.shortcut`],
    ["attention.norm", `${path}.attn.group_norm`],
    ["attention.query", `${path}.attn.proj_q`],
    ["attention.key", `${path}.attn.proj_k`],
    ["attention.value", `${path}.attn.proj_v`],
    ["attention.output", `${path}.attn.proj`],
  ];
}

/** The table. PyTorch numbers blocks and changes of resolution through, in the order of running. */
export const PYTORCH_DDPM: NameTable = {
  title: "a PyTorch state_dict",
  start: [
    ["timeEmbedding.first", "time_embedding.timembedding.1"],
    ["timeEmbedding.second", "time_embedding.timembedding.3"],
    ["head", "head"],
  ],
  downBlock: residual("downblocks.{place}"),
  downsample: [["conv", "downblocks.{place}.main"]],
  middleBlock: residual("middleblocks.{block}"),
  upBlock: residual("upblocks.{place}"),
  upsample: [["conv", "upblocks.{place}.main"]],
  end: [
    ["tail.norm", "tail.0"],
    ["tail.conv", "tail.2"],
  ],
};

/** Every tensor of the PyTorch network's `state_dict`, in its order. */
export function pytorchNames(network: UNet): PytorchEntry[] {
  const { timesteps, channels } = network.timeEmbedding;
  return [
    { kind: "constant", pytorchName: TIME_TABLE, pytorchShape: [timesteps, channels] },
    ...tableEntries(PYTORCH_DDPM, network),
  ];
}

/**
 * A whole `state_dict` as our named values.
 *
 * @throws {RangeError} When a tensor is missing, unknown or of another shape: the network was built
 *   with other options.
 */
export function fromStateDict(
  network: UNet,
  tensors: ReadonlyMap<string, PytorchTensor>,
): Map<string, Float32Array<ArrayBuffer>> {
  const entries = pytorchNames(network);
  checkTensors(PYTORCH_DDPM.title, entries, tensors);
  const values = new Map<string, Float32Array<ArrayBuffer>>();
  for (const entry of entries) {
    if (entry.kind === "constant") continue;
    values.set(entry.name, fromPytorch(entry, tensors.get(entry.pytorchName)!));
  }
  return values;
}

/**
 * Our named values as a whole `state_dict`, in PyTorch's order.
 *
 * @throws {RangeError} When a value is missing or of another size.
 */
export function toStateDict(
  network: UNet,
  values: ReadonlyMap<string, Float32Array<ArrayBuffer>>,
): Map<string, PytorchTensor> {
  const tensors = new Map<string, PytorchTensor>();
  for (const entry of pytorchNames(network)) {
    if (entry.kind === "constant") {
      const { timesteps, channels } = network.timeEmbedding;
      const data = sinusoidTable(timesteps, channels);
      tensors.set(entry.pytorchName, { shape: entry.pytorchShape, data });
      continue;
    }
    const value = values.get(entry.name);
    if (!value) {
      throw new RangeError(`Cannot write a PyTorch state_dict: ${entry.name} must be given`);
    }
    tensors.set(entry.pytorchName, toPytorch(entry, value));
  }
  return tensors;
}
