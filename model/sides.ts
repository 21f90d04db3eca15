/**
 * Which sizes of images networks take that halve the resolution.
 *
 * @module
 */
import type { KeyNames } from "../support/options.ts";
import type { Misfit, NetworkShape } from "./network.ts";

/** Misses where a side cannot be halved once for each level but the coarsest. */
export function sidesHalve(
  { channelMultipliers }: { readonly channelMultipliers: readonly number[] },
  { height, width }: NetworkShape,
  at: KeyNames,
): Misfit | null {
  const factor = 2 ** (channelMultipliers.length - 1);
  return height % factor === 0 && width % factor === 0 ? null : {
    key: "size",
    rule: `be a multiple of ${factor}`,
    hint: `the network halves it for all but one of ${at("channelMultipliers")}`,
  };
}
