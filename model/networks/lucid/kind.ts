/**
 * The U-Nets of denoising-diffusion-pytorch and denoising-diffusion-flax.
 *
 * @module
 */
import type { NetworkKind } from "../../network.ts";
import { lucidFlaxNames } from "./flax_names.ts";
import { lucidNames } from "./names.ts";
import { CHECKS, type LucidOptions, OPTIONS } from "./options.ts";
import { STYLES } from "./styles.ts";
import { LucidUNet } from "./unet.ts";

/** The network. */
export const LUCID = {
  options: OPTIONS,
  anyOutputs: true,
  checks: CHECKS,
  check({ channelMultipliers, style }, { height, width }, at) {
    const factor = 2 ** (channelMultipliers.length - 1);
    const line = STYLES[style].dims === 1;
    if (line && height !== 1) return { key: "size", rule: "be 1 x L, as signals are" };
    return (line || height % factor === 0) && width % factor === 0 ? null : {
      key: "size",
      rule: `be a multiple of ${factor}${line ? " in length" : ""}`,
      hint: `the network halves it for all but one of ${at("channelMultipliers")}`,
    };
  },
  create: (options, shape) => new LucidUNet(options, shape),
  names: {
    "denoising-diffusion-pytorch": lucidNames,
    "denoising-diffusion-flax": lucidFlaxNames,
  },
} satisfies NetworkKind<LucidOptions, LucidUNet>;
