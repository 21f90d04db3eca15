/**
 * The U-Net with batch normalisation of dataflowr's course.
 *
 * @module
 */
import type { NetworkKind } from "../../network.ts";
import { fullNames } from "./names.ts";
import { CHECKS, type FullOptions, OPTIONS } from "./options.ts";
import { FullUNet } from "./unet.ts";

/** The network. */
export const FULL = {
  options: OPTIONS,
  checks: CHECKS,
  check({ channelMultipliers }, { height, width }, at) {
    const factor = 2 ** (channelMultipliers.length - 1);
    return height % factor === 0 && width % factor === 0 ? null : {
      key: "size",
      rule: `be a multiple of ${factor}`,
      hint: `the network halves it for all but one of ${at("channelMultipliers")}`,
    };
  },
  create: (options, shape) => new FullUNet(options, shape),
  names: { "dsc-capstone": fullNames },
} satisfies NetworkKind<FullOptions, FullUNet>;
