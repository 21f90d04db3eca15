/**
 * The networks that a config can name.
 *
 * @module
 */
import { byName, type KeyNames, type OptionsOf, withOptions } from "../../support/options.ts";
import { LATENT } from "../latent_options.ts";
import { LORA } from "../lora_options.ts";
import type { Misfit, Network, NetworkKind, NetworkShape } from "../network.ts";
import { DIT } from "./dit/kind.ts";
import { DIFFUSERS } from "./diffusers/kind.ts";
import { EDM } from "./edm/kind.ts";
import { FULL } from "./full/kind.ts";
import { EDM2 } from "./edm2/kind.ts";
import { GUIDED } from "./guided/kind.ts";
import { HO2020 } from "./ho2020/kind.ts";
import { LINEAR } from "./linear/kind.ts";
import { MLP } from "./mlp/kind.ts";
import { LUCID_KARRAS } from "./lucid_karras/kind.ts";
import { LUCID } from "./lucid/kind.ts";
import { UNROLLED } from "./unrolled/kind.ts";

/** By their names; a new network is a folder and a line here. */
export const NETWORKS = {
  dit: DIT,
  diffusers: DIFFUSERS,
  edm: EDM,
  full: FULL,
  edm2: EDM2,
  guided: GUIDED,
  ho2020: HO2020,
  linear: LINEAR,
  mlp: MLP,
  lucid: LUCID,
  "lucid-karras": LUCID_KARRAS,
  unrolled: UNROLLED,
} as const;

/** The options of a network, told apart by `name`. Image sizes and channels come from the data. */
export const MODEL = byName("The network", withOptions(NETWORKS, { latent: LATENT, lora: LORA }), {
  name: "ho2020",
  about: "The network",
});

/** @internal */
type Described = OptionsOf<ReturnType<typeof networks>>;

const networks = () => byName("", NETWORKS, { name: "ho2020", about: "" });

/** Options of any network. */
export type ModelOptions = Described;

/** A network that can be named in a config. */
export type ModelName = ModelOptions["name"];

function kindOf({ name }: ModelOptions): NetworkKind<ModelOptions> {
  // A kind takes its own options, which those of its name are.
  return NETWORKS[name] as unknown as NetworkKind<ModelOptions>;
}

/** What images and process have that the network doesn't fit, or null; see {@linkcode Misfit}. */
export function networkMisfit(
  options: ModelOptions,
  shape: NetworkShape,
  at: KeyNames = (key) => key,
): Misfit | null {
  const kind = kindOf(options);
  if (shape.outputs !== undefined && !kind.anyOutputs) {
    const capable = Object.entries(NETWORKS).flatMap(([name, kind]) =>
      "anyOutputs" in kind ? [name] : []
    );
    return {
      key: "outputs",
      rule: `be as many channels as the images have, for model ${options.name}`,
      hint: `${capable.join(", ")} give others`,
    };
  }
  return kind.check?.(options, shape, at) ?? null;
}

/**
 * The network that `options` names, without memory: see parameters.ts for that.
 *
 * @throws {RangeError} When an option breaks its rule, or the network can't serve such images.
 */
export function createNetwork(options: ModelOptions, shape: NetworkShape): Network {
  const misfit = networkMisfit(options, shape);
  if (misfit === null) return kindOf(options).create(options, shape);
  const { key, rule, hint } = misfit;
  const got = key === "size" ? `${shape.height} x ${shape.width}` : shape[key];
  throw new RangeError(
    `Cannot make the network ${options.name}: the images' ${key} must ${rule}, got ${got}` +
      (hint === undefined ? "" : `; ${hint}`),
  );
}
