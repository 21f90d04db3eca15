/**
 * What is done to an image, drawn at random: the augmentation pipe of EDM (Karras et al. 2022, arXiv
 * 2206.00364, appendix F.2), which takes blits, maps of the plane and of colours from StyleGAN2-ADA
 * (arXiv 2006.06676), and tells the network of each.
 *
 * @module
 */
import type { Margins } from "../../kernels/layout/warp.ts";
import {
  greyRotation,
  greyScaling,
  identity,
  type Matrix,
  product,
  rotation,
  scaling,
  translation,
} from "./matrices.ts";

/** Relative probabilities of what may be done, and how strong it is; all multiply `probability`. */
export interface AugmentSettings {
  /** Of all of them; a product above 1 counts as 1. */
  readonly probability: number;
  readonly xflip: number;
  readonly yflip: number;
  readonly rotateInt: number;
  readonly translateInt: number;
  readonly translateIntMax: number;
  readonly scale: number;
  readonly rotateFrac: number;
  readonly aniso: number;
  readonly translateFrac: number;
  readonly scaleStd: number;
  readonly rotateFracMax: number;
  readonly anisoStd: number;
  readonly anisoRotateProb: number;
  readonly translateFracStd: number;
  readonly brightness: number;
  readonly contrast: number;
  readonly lumaflip: number;
  readonly hue: number;
  readonly saturation: number;
  readonly brightnessStd: number;
  readonly contrastStd: number;
  readonly hueMax: number;
  readonly saturationStd: number;
}

/** Random numbers, taken in order. */
export interface Draws {
  /** Uniform in [0, 1). */
  uniform(): number;
  /** A whole number from 0 to n - 1. */
  below(n: number): number;
  /** Standard normal. */
  normal(): number;
}

/** What is done to an image. */
export interface Augmentation {
  /** Mirror x, mirror y, swap axes, shift right, shift up; absent where that is never done. */
  readonly move?: readonly number[];
  /** 3 x 3: where a pixel of the result comes from, in pixels from the middle. */
  readonly map?: Matrix;
  /** 4 x 4, of colours. */
  readonly colour?: Matrix;
  /** What the network is told, in the order of the settings. */
  readonly label: readonly number[];
}

/** Sides of an image. */
interface Sides {
  readonly height: number;
  readonly width: number;
}

/** Draws what is done to one image. */
export function drawAugmentation(
  settings: AugmentSettings,
  draws: Draws,
  sides: Sides,
): Augmentation {
  const label: number[] = [];
  const happens = (share: number) => draws.uniform() < share * settings.probability;
  const pipe: Pipe = { settings, draws, sides, label, happens };
  const move = drawMove(pipe), map = drawMap(pipe), colour = drawColour(pipe);
  return { ...move && { move }, ...map && { map }, ...colour && { colour }, label };
}

interface Pipe {
  readonly settings: AugmentSettings;
  readonly draws: Draws;
  readonly sides: Sides;
  readonly label: number[];
  happens(share: number): boolean;
}

function drawMove(pipe: Pipe): number[] | undefined {
  const { settings, draws, sides: { height, width }, label, happens } = pipe;
  const { xflip, yflip, rotateInt, translateInt, translateIntMax } = settings;
  if (Math.max(xflip, yflip, rotateInt, translateInt) === 0) return undefined;
  const kept = (share: number, value: number) => happens(share) ? value : 0;
  const mirrored = [xflip, yflip].map((share) => {
    if (share === 0) return 0;
    const value = kept(share, draws.below(2));
    label.push(value);
    return value;
  });
  const turns = rotateInt > 0 ? kept(rotateInt, draws.below(4)) : 0;
  const turned = [turns === 1 || turns === 2, turns === 2 || turns === 3].map(Number);
  if (rotateInt > 0) label.push(...turned);
  let shift = [0, 0];
  if (translateInt > 0) {
    const drawn = [0, 0].map(() => 2 * draws.uniform() - 1);
    const most = [width * translateIntMax, height * translateIntMax];
    const moved = happens(translateInt);
    shift = drawn.map((value, axis) => moved ? halfToEven(Math.fround(value * most[axis]!)) : 0);
    label.push(...shift.map((pixels, axis) => pixels / most[axis]!));
  }
  const [x, y] = turned.map((turn, axis) => turn ^ mirrored[axis]!);
  return [x!, y!, turns % 2, ...shift];
}

/** The nearest whole number, an even one of two as near. */
function halfToEven(value: number): number {
  const low = Math.floor(value);
  if (value - low !== 0.5) return Math.round(value);
  return low % 2 === 0 ? low : low + 1;
}

function drawMap(pipe: Pipe): Matrix | undefined {
  const { settings, draws, sides: { height, width }, label, happens } = pipe;
  const { scale, rotateFrac, aniso, translateFrac } = settings;
  if (Math.max(scale, rotateFrac, aniso, translateFrac) === 0) return undefined;
  let map = identity(3);
  if (scale > 0) {
    const drawn = draws.normal(), value = happens(scale) ? drawn : 0;
    const factor = 2 ** (value * settings.scaleStd);
    map = product(map, scaling(1 / factor, 1 / factor));
    label.push(value);
  }
  if (rotateFrac > 0) {
    const drawn = (2 * draws.uniform() - 1) * Math.PI * settings.rotateFracMax;
    const angle = happens(rotateFrac) ? drawn : 0;
    map = product(map, rotation(angle));
    label.push(Math.cos(angle) - 1, Math.sin(angle));
  }
  if (aniso > 0) {
    const drawn = draws.normal(), direction = (2 * draws.uniform() - 1) * Math.PI;
    const value = happens(aniso) ? drawn : 0;
    const angle = draws.uniform() < settings.anisoRotateProb ? direction : 0;
    const factor = 2 ** (value * settings.anisoStd);
    map = product(map, rotation(-angle), scaling(1 / factor, factor), rotation(angle));
    label.push(value * Math.cos(angle), value * Math.sin(angle));
  }
  if (translateFrac > 0) {
    const drawn = [draws.normal(), draws.normal()];
    const moved = happens(translateFrac);
    const [x, y] = drawn.map((value) => moved ? value : 0) as [number, number];
    const { translateFracStd: std } = settings;
    map = product(map, translation(-x * width * std, -y * height * std));
    label.push(x, y);
  }
  return map;
}

function drawColour(pipe: Pipe): Matrix | undefined {
  const { settings, draws, label, happens } = pipe;
  const { brightness, contrast, lumaflip, hue, saturation } = settings;
  if (Math.max(brightness, contrast, lumaflip, hue, saturation) === 0) return undefined;
  let map = identity(4);
  const normal = (share: number, then: (value: number) => Matrix) => {
    if (share === 0) return;
    const drawn = draws.normal(), value = happens(share) ? drawn : 0;
    map = product(then(value), map);
    label.push(value);
  };
  normal(brightness, (value) => {
    const by = value * settings.brightnessStd;
    return translation(by, by, by);
  });
  normal(contrast, (value) => {
    const factor = 2 ** (value * settings.contrastStd);
    return scaling(factor, factor, factor);
  });
  if (lumaflip > 0) {
    const drawn = draws.below(2), value = happens(lumaflip) ? drawn : 0;
    map = product(greyScaling(1 - 2 * value, 1), map);
    label.push(value);
  }
  if (hue > 0) {
    const drawn = (2 * draws.uniform() - 1) * Math.PI * settings.hueMax;
    const angle = happens(hue) ? drawn : 0;
    map = product(greyRotation(angle), map);
    label.push(Math.cos(angle) - 1, Math.sin(angle));
  }
  normal(saturation, (value) => greyScaling(1, 2 ** (value * settings.saturationStd)));
  return map;
}

/** Rows of a colour map for images of 1 or 3 channels: a factor for each channel, then an offset. */
export function colourNumbers(colour: Matrix, channels: number): number[] {
  const rows = colour.slice(0, 3);
  if (channels === 3) return rows.flat();
  // Grey is mapped to the mean of what its colour becomes.
  const mean = (of: (row: readonly number[]) => number) =>
    rows.reduce((sum, row) => sum + of(row), 0) / 3;
  return [mean((row) => row[0]! + row[1]! + row[2]!), mean((row) => row[3]!)];
}

/**
 * Pixels that images are continued by, for several maps in common: as far as the corners of the image
 * come from, and what filters reach beyond it, but at most a side less a pixel.
 */
export function marginsOf(
  maps: readonly Matrix[],
  { height, width }: Sides,
  reach: number,
): Margins {
  const cx = (width - 1) / 2, cy = (height - 1) / 2;
  const corners = maps.flatMap((map) =>
    [[-cx, -cy, 1], [cx, -cy, 1], [cx, cy, 1], [-cx, cy, 1]].map((corner) =>
      map.map((row) => row.reduce((sum, value, k) => sum + value * corner[k]!, 0))
    )
  );
  const margin = (axis: number, sign: number, half: number, side: number) => {
    const far = corners.reduce((most, at) => Math.max(most, sign * at[axis]!), -Infinity);
    return Math.ceil(Math.min(Math.max(far + reach - half, 0), side - 1));
  };
  return {
    left: margin(0, -1, cx, width),
    right: margin(0, 1, cx, width),
    top: margin(1, -1, cy, height),
    bottom: margin(1, 1, cy, height),
  };
}
