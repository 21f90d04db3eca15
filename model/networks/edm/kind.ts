/**
 * The U-Nets of EDM as a config names them.
 *
 * @module
 */
import type { NetworkKind } from "../../network.ts";
import { edmNames } from "./names.ts";
import { CHECKS, type EdmOptions, OPTIONS } from "./options.ts";
import { EdmUNet } from "./unet.ts";

/** The network. */
export const EDM = {
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
  create: (options, shape) => new EdmUNet(options, shape),
  names: { "edm": (network) => edmNames(network) },
} satisfies NetworkKind<EdmOptions, EdmUNet>;
