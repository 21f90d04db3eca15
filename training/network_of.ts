/**
 * The network of a run's config, and the same at the sizes of buckets.
 *
 * @module
 */
import type { BucketSize } from "../data/buckets.ts";
import { imageShape } from "../data/options.ts";
import { targetOutputs } from "../diffusion/parameterizations/registry.ts";
import { formatShape } from "../device/tensor.ts";
import { LOG_SNR_ENDS } from "../diffusion/schedules/learned.ts";
import { freeze } from "../model/freeze.ts";
import { LogSnr } from "../model/log_snr.ts";
import { addLora } from "../model/lora.ts";
import { namedParameters } from "../model/module.ts";
import type { Network } from "../model/network.ts";
import { createNetwork } from "../model/networks/registry.ts";
import { UsageError } from "../support/errors.ts";
import { networkShape } from "./network_shape.ts";
import { learnsSchedule } from "./learned_schedule.ts";
import type { RunConfig } from "./run_config.ts";

/**
 * The network that a config describes, with its low-rank additions and that of a learned noise schedule, and
 * what is frozen marked.
 *
 * @throws {RangeError} When the images do not fit it.
 * @throws {UsageError} When a pattern of names means nothing.
 */
export function networkOf(config: RunConfig): Network {
  const { model, data, diffusion: { timesteps, target }, train: { precision } } = config;
  const { size: _, ...images } = imageShape(data), diffused = networkShape(config);
  const outputs = targetOutputs(target, diffused.channels);
  const network = createNetwork(model, { ...images, ...diffused, outputs, timesteps });
  try {
    addLora(network, model.lora);
    if (learnsSchedule(config)) {
      const { hidden, gradientShare } = config.diffusion.scheduleOptions;
      network.logSnr = new LogSnr({ ...LOG_SNR_ENDS, hidden, gradientShare });
    }
    freeze(network, config.optim.freeze);
  } catch (cause) {
    // A pattern that means nothing is a person's.
    throw cause instanceof RangeError ? new UsageError(cause.message, { cause }) : cause;
  }
  network.activations = precision;
  return network;
}

/**
 * The network of a config at another size of images. Its parameters are those of the config's own, by
 * their names.
 *
 * @throws {RangeError} When the network can't take images of the size.
 * @throws {UsageError} When its parameters depend on it.
 */
export function networkAt(config: RunConfig, size: BucketSize): Network {
  const own = new Map(namedParameters(networkOf(config)));
  const [height, width] = size;
  const network = networkOf({ ...config, data: { ...config.data, size: [height, width] } });
  const others = new Map(namedParameters(network));
  const shapeIn = (all: typeof own, name: string) => all.get(name)?.shape.join();
  for (const [name, { shape }] of [...own, ...others]) {
    if (shapeIn(own, name) === shapeIn(others, name)) continue;
    throw new UsageError(
      `Cannot use ${config.model.name} with images of ${height}x${width}: its parameters must not ` +
        `depend on their size, ${name} of ${formatShape(shape)} does; a U-Net or dit takes any`,
    );
  }
  return network;
}
