/**
 * diffusers' `UNet2DModel` as a config names it.
 *
 * @module
 */
import type { NetworkKind } from "../../network.ts";
import { CHECKS, sideMisfit } from "./checks.ts";
import { diffusersNames } from "./names.ts";
import { type DiffusersOptions, OPTIONS } from "./options.ts";
import { DiffusersUNet } from "./unet.ts";

/** The network. */
export const DIFFUSERS = {
  options: OPTIONS,
  anyOutputs: true,
  checks: CHECKS,
  check: sideMisfit,
  create: (options, shape) => new DiffusersUNet(options, shape),
  names: { diffusers: diffusersNames },
} satisfies NetworkKind<DiffusersOptions, DiffusersUNet>;
