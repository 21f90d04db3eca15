/**
 * The U-Nets of EDM as a config names them.
 *
 * @module
 */
import type { NetworkKind } from "../../network.ts";
import { sidesHalve } from "../../sides.ts";
import { edmNames } from "./names.ts";
import { CHECKS, type EdmOptions, OPTIONS } from "./options.ts";
import { EdmUNet } from "./unet.ts";

/** The network. */
export const EDM = {
  options: OPTIONS,
  anyOutputs: true,
  checks: CHECKS,
  check: sidesHalve,
  create: (options, shape) => new EdmUNet(options, shape),
  names: { "edm": (network) => edmNames(network) },
} satisfies NetworkKind<EdmOptions, EdmUNet>;
