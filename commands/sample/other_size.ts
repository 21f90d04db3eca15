/**
 * Images of another size than the run's, by networks that take any.
 *
 * @module
 */
import type { Config } from "../../config/schema.ts";
import type { BucketSize } from "../../data/buckets.ts";
import { dataDims } from "../../data/options.ts";
import { UsageError } from "../../support/errors.ts";
import { networkAt } from "../../training/network_of.ts";
import { usage } from "../shared/load_sampler.ts";

/** Reads "24x40", or a side. */
export function parseSize(text: string): BucketSize {
  const [, height, width = height] = /^(\d{1,5})(?:x(\d{1,5}))?$/.exec(text) ?? [];
  const size = [Number(height), Number(width)] as const;
  if (size.every((side) => side >= 4)) return size;
  throw new RangeError(
    `must be a height and a width of at least 4, as in 24x40, got ${JSON.stringify(text)}`,
  );
}

/**
 * A config whose images have a size; the same where none is asked for.
 *
 * @throws {UsageError} When its network or process is of its own size.
 */
export function ofSize(config: Config, size: BucketSize | undefined): Config {
  if (size === undefined) return config;
  const { data, diffusion: { process } } = config;
  const why = dataDims(data) !== 2
    ? "the run must be of images"
    : process !== "ddpm"
    ? `diffusion.process must be ddpm, ${process} is of the frequencies of one size`
    : null;
  if (why !== null) throw new UsageError(`Cannot draw images of ${size.join("x")}: ${why}`);
  usage(() => networkAt(config, size));
  return { ...config, data: { ...data, size: [...size] } };
}
