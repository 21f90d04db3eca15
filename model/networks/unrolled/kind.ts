/**
 * A chain of networks as a config names it.
 *
 * @module
 */
import type { Check } from "../../../support/options.ts";
import type { NetworkKind } from "../../network.ts";
import { UnrolledChain } from "./chain.ts";
import { unrolledNames } from "./names.ts";
import { OPTIONS, type UnrolledOptions } from "./options.ts";

const partsAgree: Check<UnrolledOptions> = ({ blocks, channels }, at) =>
  blocks.length === channels.length
    ? null
    : { key: "channels", rule: `have as many parts as ${at("blocks")}, ${blocks.length}` };

const groupsDivideWidths: Check<UnrolledOptions> = ({ channels, groups }, at) =>
  groups === null || channels.every((width) => width % groups === 0)
    ? null
    : { key: "groups", rule: `divide all of ${at("channels")}, ${channels.join(", ")}` };

/** As a config names it. */
export const UNROLLED = {
  options: OPTIONS,
  checks: [partsAgree, groupsDivideWidths],
  check: ({ stages }, { timesteps }, at) =>
    stages <= timesteps ? null : {
      key: "timesteps",
      rule: `be at least ${at("stages")}, ${stages}`,
      hint: "each network must have a timestep of its own",
    },
  create: (options, shape) => new UnrolledChain(options, shape),
  names: { "pytorch-ddpm-unrolled": unrolledNames },
} satisfies NetworkKind<UnrolledOptions, UnrolledChain>;
