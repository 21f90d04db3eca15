/**
 * lucidrains' `KarrasUnet`.
 *
 * @module
 */
import type { NetworkKind } from "../../network.ts";
import { lucidKarrasNames } from "./names.ts";
import { CHECKS, type LucidKarrasOptions, OPTIONS } from "./options.ts";
import { KarrasUNet } from "./unet.ts";

/** The network. */
export const LUCID_KARRAS = {
  options: OPTIONS,
  anyOutputs: true,
  checks: CHECKS,
  check({ halvings }, { height, width }, at) {
    const factor = 2 ** halvings;
    return height % factor === 0 && width % factor === 0 ? null : {
      key: "size",
      rule: `be a multiple of ${factor}`,
      hint: `the network halves it ${halvings} times; or less ${at("halvings")}`,
    };
  },
  create: (options, shape) => new KarrasUNet(options, shape),
  names: { "denoising-diffusion-pytorch": lucidKarrasNames },
} satisfies NetworkKind<LucidKarrasOptions, KarrasUNet>;
