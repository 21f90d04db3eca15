/**
 * The U-Net of EDM2 as a config names it.
 *
 * @module
 */
import type { NetworkKind } from "../../network.ts";
import { edm2Names } from "./names.ts";
import { CHECKS, type Edm2Options, OPTIONS } from "./options.ts";
import { Edm2UNet } from "./unet.ts";

/** The network. */
export const EDM2 = {
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
  create: (options, shape) => new Edm2UNet(options, shape),
  names: { "edm2": (network) => edm2Names(network) },
} satisfies NetworkKind<Edm2Options, Edm2UNet>;
