/**
 * What is said of the images of a batch: keys of their noise, and their classes.
 *
 * @module
 */
import { conditionValues } from "../autograd/network_inputs.ts";
import type { InputValues } from "../device/program.ts";
import { seedKey } from "../support/philox.ts";
import type { SamplerParts } from "./evaluation.ts";
import type { SamplingOptions } from "./sampling_watch.ts";

/** A key of kernels/shared/philox.ts for each image; places without a seed take that of 0. */
export function keyRows(seeds: readonly number[], samples: number, step: number): Uint32Array {
  const rows = new Uint32Array(4 * samples);
  for (let n = 0; n < samples; n++) rows.set([...seedKey(seeds[n] ?? 0), step, 0], 4 * n);
  return rows;
}

/** @throws {RangeError} For labels that the network does not know of. */
export function checkLabels(
  { conditioning }: SamplerParts,
  seeds: readonly number[],
  { labels }: SamplingOptions,
): void {
  const { labels: classes = 0 } = conditioning ?? {};
  if (!labels) return;
  const wrong = labels.find((label) => !Number.isInteger(label) || label < 0 || label >= classes);
  if (wrong === undefined && labels.length === seeds.length) return;
  throw new RangeError(
    classes === 0
      ? "Cannot sample classes: the network must know of classes, it knows none"
      : `Cannot sample classes: there must be ${seeds.length} labels from 0 to ${
        classes - 1
      }, got ${wrong ?? labels.length}`,
  );
}

/** What the network is told of the images of a batch from `first` on. */
export function conditionsOf(
  { conditioning = {}, shape: [samples] }: SamplerParts,
  seeds: readonly number[],
  first: number,
  { labels }: SamplingOptions,
): InputValues {
  return conditionValues(samples, conditioning, {
    labels: (i) => labels?.[first + i] ?? (seeds[i] ?? 0) % conditioning.labels!,
  });
}
