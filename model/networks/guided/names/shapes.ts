/**
 * The options of a network of guided-diffusion, told from the shapes in its `state_dict`: its
 * checkpoints do not carry them. Heads, the order of queries, keys and values, dropout and groups leave
 * no trace in shapes.
 *
 * @module
 */
import type { GuidedOptions } from "../options.ts";
import { GROUPS } from "./options.ts";

/** A tensor that every such network has once. */
export const GUIDED_ANCHOR = "input_blocks.0.0.weight";

/** Shapes by name. */
export type Shapes = ReadonlyMap<string, { readonly shape: readonly number[] }>;

/** What shapes tell. */
export interface GuidedFromShapes {
  readonly options: Omit<GuidedOptions, "heads" | "headsUp" | "headChannels" | "qkvOrder">;
  /** Channels of the images. */
  readonly channels: number;
}

/**
 * Finds the options.
 *
 * @throws {RangeError} When the shapes are of no such network.
 */
export function guidedFromShapes(shapes: Shapes): GuidedFromShapes {
  const head = sizesOf(shapes, GUIDED_ANCHOR);
  const dims = head.length - 2;
  const channels = head[1] ?? 0;
  const [, width = 0] = sizesOf(shapes, "time_embed.0.weight");
  const [outputs = 0] = sizesOf(shapes, "out.2.weight");
  if (dims !== 1 && dims !== 2 && dims !== 3) {
    throw unknown("its convolutions must have 1 to 3 axes");
  }
  if (outputs !== channels && outputs !== 2 * channels) {
    throw unknown(`it must give ${channels} or ${2 * channels} channels, got ${outputs}`);
  }
  const levels = levelsOf(shapes);
  const widths = levels.map(([first]) => sizesOf(shapes, `${first}.0.in_layers.2.weight`)[0] ?? 0);
  const [blocks = 0] = levels.map((level) => level.length);
  const [first = ""] = levels[0] ?? [];
  return {
    channels,
    options: {
      name: "guided",
      channels: width,
      channelMultipliers: widths.map((own) => own / width),
      attentionFactors: levels.flatMap((level, i) =>
        level.some((stage) => shapes.has(`${stage}.1.qkv.weight`)) ? [2 ** i] : []
      ),
      blocks,
      dropout: 0,
      groups: GROUPS,
      scaleShift: sizesOf(shapes, `${first}.0.emb_layers.1.weight`)[0] === 2 * widths[0]!,
      convResample: [...shapes.keys()].some((name) => /\.\d+\.(op|conv)\.weight$/.test(name)),
      blockResample: blocksUntilUp(shapes) !== null,
      classes: shapes.get("label_emb.weight")?.shape[0] ?? 0,
      learnedVariance: outputs === 2 * channels,
      dims,
    },
  };
}

/** Stages of each level on the way down, by their names, without those that halve. */
function levelsOf(shapes: Shapes): string[][] {
  const numbers = [...shapes.keys()].flatMap((name) => {
    const found = /^input_blocks\.(\d+)\./.exec(name);
    return found ? [Number(found[1])] : [];
  });
  const last = Math.max(...numbers);
  if (last > shapes.size) throw unknown(`it must have input_blocks.0 to ${last}`);
  const every = blocksUntilUp(shapes);
  const levels: string[][] = [[]];
  for (let i = 1; i <= last; i++) {
    const stage = `input_blocks.${i}`;
    // A stage that halves is a block where blocks do it, else a convolution or nothing learnt.
    const halves = every === null
      ? !shapes.has(`${stage}.0.in_layers.2.weight`)
      : i % (every + 1) === 0;
    if (halves) levels.push([]);
    else levels.at(-1)!.push(stage);
  }
  if (levels.some((level) => level.length === 0 || level.length !== levels[0]!.length)) {
    throw unknown("its levels must have the same number of blocks, at least one");
  }
  return levels;
}

/** Blocks of a level, told by the first block on the way up that doubles; null where none does. */
function blocksUntilUp(shapes: Shapes): number | null {
  for (let i = 0; shapes.has(`output_blocks.${i}.0.in_layers.2.weight`); i++) {
    for (const part of [1, 2]) {
      if (shapes.has(`output_blocks.${i}.${part}.in_layers.2.weight`)) return i;
    }
  }
  return null;
}

function sizesOf(shapes: Shapes, name: string): readonly number[] {
  const shape = shapes.get(name)?.shape;
  if (!shape || shape.length < 2 || shape.includes(0)) {
    throw unknown(`${name} must be there, got ${shape ? `[${shape}]` : "none"}`);
  }
  return shape;
}

function unknown(rule: string): RangeError {
  return new RangeError(`Cannot tell the network of a guided-diffusion state_dict: ${rule}`);
}
