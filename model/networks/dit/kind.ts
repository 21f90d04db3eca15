/**
 * The diffusion transformer as a config names it.
 *
 * @module
 */
import type { NetworkKind } from "../../network.ts";
import { DiT } from "./dit.ts";
import { ditNames } from "./names.ts";
import { CHECKS, type DiTOptions, OPTIONS, patchMisfit } from "./options.ts";

/** The network. */
export const DIT = {
  options: OPTIONS,
  anyOutputs: true,
  checks: CHECKS,
  check: patchMisfit,
  create: (options, shape) => new DiT(options, shape),
  names: { "dit": (network) => ditNames(network, network.shape) },
} satisfies NetworkKind<DiTOptions, DiT>;
