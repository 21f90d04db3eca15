/**
 * What a run may choose about low-rank additions to weights (LoRA), whatever its network.
 *
 * @module
 */
import {
  decimal,
  either,
  integer,
  list,
  nullable,
  option,
  type OptionsOf,
  section,
  text,
} from "../support/options.ts";

/** See the module. */
export const LORA = section("Low-rank additions to weights, which alone are then learned (LoRA)", {
  rank: option(integer({ min: 0 }), 0, "Their rank; 0 = none, everything is learned"),
  alpha: option(
    nullable(decimal({ above: 0 })),
    null,
    "An addition counts alpha / rank times; null = once",
  ),
  layers: option(
    either(list(text()), text(), "patterns of names, as down,*.attn.* or a list of them"),
    ["*"],
    "Linear layers and convolutions that get one, by patterns of their names",
  ),
});

/** @internal */
type Described = OptionsOf<typeof LORA>;

/** Options of low-rank additions. */
export type LoraOptions = Described;
