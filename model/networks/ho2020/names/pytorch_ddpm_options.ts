/**
 * The options of a network of w86763777/pytorch-ddpm, told from the shapes in its `state_dict`: its
 * checkpoints do not carry them.
 *
 * @module
 */
import type { UNetOptions } from "../options.ts";
import type { UNetShape } from "../unet.ts";
import { TIME_TABLE } from "./pytorch_ddpm.ts";

/** That code's group normalisations have this many groups, always. */
const GROUPS = 32;
/** That code's default; a checkpoint does not tell. */
const DROPOUT = 0.1;

/** Shapes by name. */
export type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

/** A network's options and what else it depends on. */
export interface FoundOptions {
  readonly options: UNetOptions;
  readonly shape: UNetShape;
}

/**
 * Finds the options. Groups and dropout leave no trace in the shapes: they get that code's values.
 *
 * @throws {RangeError} When the shapes are of no such network.
 */
export function pytorchDdpmOptions(shapes: Shapes): FoundOptions {
  const [width, imageChannels] = sizes(shapes, "head.weight", 4);
  const [timesteps] = sizes(shapes, TIME_TABLE, 2);
  const levels: { width: number; blocks: number; attention: boolean }[] = [];
  let level: typeof levels[number] | undefined;
  for (let place = 0; shapes.size > place; place++) {
    const path = `downblocks.${place}`;
    if (shapes.has(`${path}.main.weight`)) {
      level = undefined;
      continue;
    }
    if (!shapes.has(`${path}.block1.2.weight`)) break;
    const [outputs] = sizes(shapes, `${path}.block1.2.weight`, 4);
    if (!level) levels.push(level = { width: outputs, blocks: 0, attention: false });
    level.blocks++;
    level.attention ||= shapes.has(`${path}.attn.proj.weight`);
  }
  if (levels.length === 0) throw unknown("it must have downblocks.0");
  if (levels.some(({ width: outputs }) => outputs % width !== 0)) {
    throw unknown(`the width of every level must be a multiple of ${width}`);
  }
  const options: UNetOptions = {
    name: "ho2020",
    channels: width,
    channelMultipliers: levels.map(({ width: outputs }) => outputs / width),
    attentionLevels: levels.flatMap(({ attention }, i) => attention ? [i] : []),
    blocks: levels[0]!.blocks,
    dropout: DROPOUT,
    groups: GROUPS,
    classes: 0,
    labelDropout: 0,
  };
  return { options, shape: { channels: imageChannels, timesteps } };
}

function sizes(shapes: Shapes, name: string, rank: number): [number, number] {
  const shape = shapes.get(name)?.shape;
  if (shape?.length !== rank || shape.includes(0)) {
    throw unknown(`${name} must be there with ${rank} sizes, got ${shape ? `[${shape}]` : "none"}`);
  }
  return [shape[0]!, shape[1]!];
}

function unknown(rule: string): RangeError {
  return new RangeError(`Cannot tell the network of a PyTorch state_dict: ${rule}`);
}
