/**
 * Networks that tests take.
 *
 * @module
 */
import type { UNetOptions } from "../../../../model/networks/ho2020/options.ts";

/** The CIFAR-10 network of Ho et al. 2020. */
export const CIFAR: UNetOptions = {
  name: "ho2020",
  channels: 128,
  channelMultipliers: [1, 2, 2, 2],
  attentionLevels: [1],
  blocks: 2,
  dropout: 0.1,
  groups: 32,
};
