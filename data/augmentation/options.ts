/**
 * What a run may choose about augmentation.
 *
 * @module
 */
import { decimal, option, type OptionsOf, section } from "../../support/options.ts";
import { type AugmentSettings, drawAugmentation } from "./draw.ts";

const share = (standard: number, help: string) => option(decimal({ min: 0 }), standard, help);

/** Options of augmentation; EDM's set once `probability` is given. */
export const AUGMENT = section("Augmentation of training images, as in EDM", {
  probability: option(
    decimal({ min: 0, max: 1 }),
    0,
    "Probability of each of the following, times its own number; 0 = off, EDM has 0.12 to 0.15",
  ),
  yflip: share(1, "Mirror top to bottom, half of the time"),
  rotateInt: share(0, "Turn squares by a multiple of 90 degrees"),
  translateInt: share(0, "Shift by whole pixels into the image's reflection: a random crop"),
  translateIntMax: share(0.125, "Farthest such shift, as a share of the side"),
  scale: share(1, "Zoom"),
  rotateFrac: share(1, "Turn by any angle"),
  aniso: share(1, "Stretch in one direction"),
  translateFrac: share(1, "Shift by any distance"),
  scaleStd: share(0.2, "Zoom: standard deviation of log2 of the factor"),
  rotateFracMax: share(1, "Angle: the most, as a share of 180 degrees"),
  anisoStd: share(0.2, "Stretch: standard deviation of log2 of the factor"),
  anisoRotateProb: share(0.5, "Stretch: probability of a direction other than the axes"),
  translateFracStd: share(0.125, "Shift: standard deviation, as a share of the side"),
  brightness: share(0, "Lighten or darken"),
  contrast: share(0, "Change contrast"),
  lumaflip: share(0, "Mirror brightness and keep the hue, half of the time"),
  hue: share(0, "Turn the hue"),
  saturation: share(0, "Change saturation"),
  brightnessStd: share(0.2, "Brightness: standard deviation"),
  contrastStd: share(0.5, "Contrast: standard deviation of log2 of the factor"),
  hueMax: share(1, "Hue: the most, as a share of 180 degrees"),
  saturationStd: share(1, "Saturation: standard deviation of log2 of the factor"),
});

/** Options of augmentation. */
export type AugmentOptions = OptionsOf<typeof AUGMENT>;

/** EDM's arguments with their defaults: nothing is done, but with strengths. */
export const EDM_SETTINGS: AugmentSettings = {
  ...{ probability: 1, xflip: 0, yflip: 0, rotateInt: 0, translateInt: 0, translateIntMax: 0.125 },
  ...{ scale: 0, rotateFrac: 0, aniso: 0, translateFrac: 0, scaleStd: 0.2, rotateFracMax: 1 },
  ...{ anisoStd: 0.2, anisoRotateProb: 0.5, translateFracStd: 0.125 },
  ...{ brightness: 0, contrast: 0, lumaflip: 0, hue: 0, saturation: 0, brightnessStd: 0.2 },
  ...{ contrastStd: 0.5, hueMax: 1, saturationStd: 1 },
};

/** What a pipe of no images would draw. */
const NOTHING = { uniform: () => 0, below: () => 0, normal: () => 0 };

/**
 * What is done to training images beside mirroring them left to right, which is `data.flip`; null where
 * nothing is.
 */
export function augmentSettings(
  { augment, flipVertical }: { readonly augment: AugmentOptions; readonly flipVertical: boolean },
): AugmentSettings | null {
  if (augment.probability === 0) return flipVertical ? { ...EDM_SETTINGS, yflip: 1 } : null;
  const yflip = flipVertical ? 1 / augment.probability : augment.yflip;
  const settings = { ...EDM_SETTINGS, ...augment, yflip };
  const { label } = drawAugmentation(settings, NOTHING, { height: 2, width: 2 });
  return label.length === 0 ? null : settings;
}

/** Numbers that tell of augmentation: first whether an image is mirrored left to right. */
export function augmentNumbers(settings: AugmentSettings): number {
  return 1 + drawAugmentation(settings, NOTHING, { height: 2, width: 2 }).label.length;
}
