/**
 * Signals from an .npz (formats/npz_signals.ts), at their full precision: `data.range` says which values
 * the model sees as -1 and 1.
 *
 * @module
 */
import { readNpzSignals, type SignalSplit, signalSplits } from "../../formats/npz_signals.ts";
import { exists, readFileChecked } from "../../support/files.ts";
import { pickImages, type RawImages, type Say, type Split } from "../dataset.ts";
import { MissingPlaceError } from "../fetching/locate_files.ts";
import { readingOf } from "../fetching/read_file.ts";
import { HELD_OUT, heldOutMarks } from "../fixed_order.ts";
import type { SetKind } from "../set_kind.ts";
import { type SetOptions, sidesOf } from "../set_options.ts";
import { OPEN_SHAPE } from "./open_set.ts";

/** Larger files are refused: they are read whole. */
const MAX_NPZ_BYTES = 2 ** 32 - 1;

/**
 * Loads a split. Where there is no test split, val is taken; where there is neither, one signal in ten
 * is held out.
 *
 * @throws {MissingPlaceError} When `data.dir` names no file.
 * @throws {SyntaxError} When it is damaged.
 * @throws {RangeError} When signals have another length or number of channels than the options say, or
 *   values outside of their range.
 */
async function load(options: SetOptions, split: Split, say: Say): Promise<RawImages> {
  const { dir } = options;
  if (dir === null || !await exists(dir) || !(await Deno.stat(dir)).isFile) {
    throw new MissingPlaceError(
      `Cannot find the set signals: data.dir must name an .npz file with train_signals, or with one ` +
        `array of [N, L] or [N, L, C], got ${JSON.stringify(dir)}`,
    );
  }
  return await readingOf(dir, async () => {
    const bytes = await readFileChecked(dir, MAX_NPZ_BYTES);
    const splits = signalSplits(bytes);
    const [first] = splits, others = splits.filter((part) => part !== "train" && part !== null);
    if (split === "train" && first !== "train" && first !== null) {
      throw new SyntaxError(`it must hold train_signals, got ${others.join(" and ")} alone`);
    }
    const part = split === "train" ? first! : others.at(-1) ?? first!;
    const raw = signalsOf(bytes, part, options);
    if (others.length > 0) return raw;
    const remark = `${dir} has no test signals: one in ${HELD_OUT} is held out`;
    say(remark);
    const marks = heldOutMarks(raw.count);
    const held = pickImages(raw, (index) => (marks[index] === 1) === (split === "test"));
    return { ...held, remark };
  });
}

function signalsOf(bytes: Uint8Array, split: SignalSplit, options: SetOptions): RawImages {
  const { count, length, channels, values, labels } = readNpzSignals(bytes, split);
  const { width } = sidesOf(options.size ?? OPEN_SHAPE.size);
  if (length !== width || channels !== options.channels) {
    throw new RangeError(
      `Cannot use signals: data.size and data.channels must be their length ${length} and channels ` +
        `${channels}, got ${width} and ${options.channels}`,
    );
  }
  const [low, high] = options.range;
  const outside = values.findIndex((value) => value < low || value > high);
  if (outside >= 0) {
    throw new RangeError(
      `Cannot use signals: their values must lie in data.range, ${low} to ${high}, got ` +
        `${values[outside]}; they go from ${extreme(values, Math.min)} to ` +
        `${extreme(values, Math.max)}`,
    );
  }
  const scaled = Float32Array.from(values, (value) => 2 * (value - low) / (high - low) - 1);
  const images = Uint8Array.from(scaled, (value) => Math.round((value + 1) * 127.5));
  const classes = labels?.reduce((most, label) => Math.max(most, label + 1), 0);
  return {
    count,
    height: 1,
    width: length,
    channels,
    images,
    values: scaled,
    labels,
    ...(classes === undefined
      ? {}
      : { classNames: Array.from({ length: classes }, (_, label) => String(label)) }),
  };
}

function extreme(values: Float64Array, of: (a: number, b: number) => number): number {
  return values.reduce((most, value) => of(most, value));
}

/** Whatever signals an .npz holds. */
export const SIGNALS: SetKind = {
  shape: OPEN_SHAPE,
  shapeFor: ({ size, channels }) => ({ size: sidesOf(size ?? OPEN_SHAPE.size).width, channels }),
  dimsFor: () => 1,
  files: null,
  needs: "data.dir, data.size and data.channels",
  mirrored: false,
  shuffled: true,
  load,
};
