/**
 * The U-Net of guided-diffusion as a config names it.
 *
 * @module
 */
import type { NetworkKind } from "../../network.ts";
import { dataMisfit, KEY_RULES } from "./checks.ts";
import { guidedNames } from "./names/guided_diffusion.ts";
import { type GuidedOptions, OPTIONS } from "./options.ts";
import { GuidedUNet } from "./unet.ts";

/** The network. */
export const GUIDED = {
  options: OPTIONS,
  anyOutputs: true,
  ...KEY_RULES,
  check: dataMisfit,
  create: (options, shape) => new GuidedUNet(options, shape),
  names: { "guided-diffusion": guidedNames },
} satisfies NetworkKind<GuidedOptions, GuidedUNet>;
