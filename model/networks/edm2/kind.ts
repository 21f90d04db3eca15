/**
 * The U-Net of EDM2 as a config names it.
 *
 * @module
 */
import type { NetworkKind } from "../../network.ts";
import { sidesHalve } from "../../sides.ts";
import { edm2Names } from "./names.ts";
import { CHECKS, type Edm2Options, OPTIONS } from "./options.ts";
import { Edm2UNet } from "./unet.ts";

/** The network. */
export const EDM2 = {
  options: OPTIONS,
  anyOutputs: true,
  checks: CHECKS,
  check: sidesHalve,
  create: (options, shape) => new Edm2UNet(options, shape),
  names: { "edm2": (network) => edm2Names(network) },
} satisfies NetworkKind<Edm2Options, Edm2UNet>;
