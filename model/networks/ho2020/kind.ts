/**
 * The U-Net of Ho et al. 2020 as a config names it.
 *
 * @module
 */
import type { NetworkKind } from "../../network.ts";
import { KEY_RULES, sideMisfit } from "./checks.ts";
import { diffusersNames } from "./names/diffusers.ts";
import { pytorchNames } from "./names/pytorch_ddpm.ts";
import { OPTIONS, type UNetOptions } from "./options.ts";
import { UNet } from "./unet.ts";

/** The U-Net. */
export const HO2020 = {
  options: OPTIONS,
  anyOutputs: true,
  ...KEY_RULES,
  check: sideMisfit,
  create: (options, shape) => new UNet(options, shape),
  names: {
    "pytorch-ddpm": pytorchNames,
    "diffusers": (network) => diffusersNames(network),
  },
} satisfies NetworkKind<UNetOptions, UNet>;
