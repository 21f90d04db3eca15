/**
 * A small checkpoint as w86763777/pytorch-ddpm saves it, made without PyTorch.
 *
 * @module
 */
import { pytorchNames, toStateDict } from "../../model/networks/ho2020/names/pytorch_ddpm.ts";
import type { UNetOptions } from "../../model/networks/ho2020/options.ts";
import { initialValues } from "../../model/parameters.ts";
import { UNet } from "../../model/networks/ho2020/unet.ts";
import { type Saved, savedF32, torchZip } from "./torch_file.ts";

/** The network; that code has 32 groups always, so this many must be asked for by an override. */
export const TINY: UNetOptions = {
  name: "ho2020",
  channels: 8,
  channelMultipliers: [1, 2],
  attentionLevels: [1],
  blocks: 1,
  dropout: 0.1,
  groups: 4,
  classes: 0,
  labelDropout: 0,
};

/** Image side and timesteps of the checkpoint. */
export const TINY_SIZE = 8, TINY_TIMESTEPS = 20;

/** Overrides that a conversion of the checkpoint needs. */
export const TINY_OVERRIDES = [
  ["model.groups", "4"],
  ["data.name", "synthetic"],
] as const;

/** The network of the checkpoint. */
export function tinyNetwork(): UNet {
  return new UNet(TINY, { channels: 3, timesteps: TINY_TIMESTEPS });
}

/** A state_dict with values that depend on the seed. */
export function tinyStateDict(seed: number): Map<string, Saved> {
  const tensors = toStateDict(tinyNetwork(), new Map(initialValues(tinyNetwork(), seed)));
  return new Map(Array.from(tensors, ([name, { shape, data }]) => [name, savedF32(shape, data)]));
}

/** The checkpoint after three steps of which two warm up. */
export function tinyCheckpoint(changes: ReadonlyMap<string, Saved> = new Map()): Saved {
  const state = new Map<string | number, Saved>();
  const entries = pytorchNames(tinyNetwork());
  for (const [i, { kind, pytorchShape }] of entries.entries()) {
    if (kind === "constant") continue;
    const count = pytorchShape.reduce((product, n) => product * n, 1);
    const moments = (scale: number) =>
      savedF32(pytorchShape, Float32Array.from({ length: count }, (_, k) => scale * (k % 7 + i)));
    state.set(
      i,
      new Map<string, Saved>([
        ["step", savedF32([], [3])],
        ["exp_avg", moments(1e-3)],
        ["exp_avg_sq", moments(1e-5)],
      ]),
    );
  }
  const group = new Map<string, Saved>([
    ["lr", 3e-4],
    ["betas", [0.8, 0.99]],
    ["eps", 1e-7],
    ["weight_decay", 0],
    ["initial_lr", 3e-4],
    ["params", entries.map((_, i) => i)],
  ]);
  const pixels = Array.from({ length: 2 * 3 * TINY_SIZE ** 2 }, (_, i) => i / 100);
  return new Map<string, Saved>([
    ["net_model", tinyStateDict(1)],
    ["ema_model", tinyStateDict(2)],
    [
      "sched",
      new Map<string, Saved>([["base_lrs", [3e-4]], ["last_epoch", 3], ["_last_lr", [3e-4]]]),
    ],
    ["optim", new Map<string, Saved>([["state", state], ["param_groups", [group]]])],
    ["step", 2],
    ["x_T", savedF32([2, 3, TINY_SIZE, TINY_SIZE], pixels)],
    ...changes,
  ]);
}

/** The checkpoint as a file. */
export function tinyFile(changes: ReadonlyMap<string, Saved> = new Map()): Uint8Array<ArrayBuffer> {
  return torchZip(tinyCheckpoint(changes));
}
