/**
 * Networks that tests take.
 *
 * @module
 */
import type { UNetOptions } from "../../../../model/networks/ho2020/options.ts";

/** Options that must be the U-Net's. */
export function unetOptions<T extends { readonly name: string }>(
  options: T,
): Extract<T, { name: "ho2020" }> {
  if (options.name === "ho2020") return options as Extract<T, { name: "ho2020" }>;
  throw new TypeError("Cannot take these options for the U-Net's: another network is named");
}

/** The CIFAR-10 network of Ho et al. 2020. */
export const CIFAR: UNetOptions = {
  name: "ho2020",
  channels: 128,
  channelMultipliers: [1, 2, 2, 2],
  attentionLevels: [1],
  blocks: 2,
  dropout: 0.1,
  groups: 32,
  classes: 0,
  labelDropout: 0,
};
