/**
 * The U-Net with batch normalisation of dataflowr's course.
 *
 * @module
 */
import type { NetworkKind } from "../../network.ts";
import { sidesHalve } from "../../sides.ts";
import { fullNames } from "./names.ts";
import { CHECKS, type FullOptions, OPTIONS } from "./options.ts";
import { FullUNet } from "./unet.ts";

/** The network. */
export const FULL = {
  options: OPTIONS,
  anyOutputs: true,
  checks: CHECKS,
  check: sidesHalve,
  create: (options, shape) => new FullUNet(options, shape),
  names: { "dsc-capstone": fullNames },
} satisfies NetworkKind<FullOptions, FullUNet>;
