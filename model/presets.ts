/**
 * Networks by name, as a config names them.
 *
 * @module
 */
import type { Network, NetworkShape } from "./network.ts";
import type { ModelName, UNetOptions } from "./options.ts";
import { UNet } from "./unet.ts";

/** Builders of networks; a new preset is a line here and a record in options.ts. */
export const PRESETS: Readonly<
  Record<ModelName, (options: UNetOptions, shape: NetworkShape) => Network>
> = {
  ho2020: (options, shape) => new UNet(options, shape),
};

/**
 * The network that `options` names, without memory: see parameters.ts for that.
 *
 * @throws {RangeError} When an option breaks its rule.
 */
export function createNetwork(options: UNetOptions, shape: NetworkShape): Network {
  return PRESETS[options.name](options, shape);
}
