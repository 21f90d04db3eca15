/**
 * diffusers' `UNet2DModel` as a config names it: the U-Net of Ho et al. 2020 with other details.
 *
 * @module
 */
import type { NetworkKind } from "../../network.ts";
import { KEY_RULES, sideMisfit } from "../ho2020/checks.ts";
import { diffusersNames } from "../ho2020/names/diffusers.ts";
import { UNet } from "../ho2020/unet.ts";
import { frequenciesFit, headsFit, OPTIONS, type UNet2DOptions } from "./options.ts";

/** The network. */
export const UNET2D = {
  options: OPTIONS,
  checks: [...KEY_RULES.checks ?? [], headsFit, frequenciesFit],
  warnings: [...KEY_RULES.warnings ?? []],
  check: sideMisfit,
  create: (options, shape) =>
    new UNet(options, shape, {
      normEps: options.normEps,
      frequencyShift: options.frequencyShift,
      padAfter: options.downsamplePadding === "after",
      headChannels: options.headChannels,
    }),
  names: { "diffusers": (network) => diffusersNames(network) },
} satisfies NetworkKind<UNet2DOptions, UNet>;
