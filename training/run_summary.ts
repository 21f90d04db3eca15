/**
 * What a person is told about a run before it starts.
 *
 * @module
 */
import type { ImageSet } from "../data/dataset.ts";
import type { Gpu } from "../device/gpu.ts";
import type { MemoryReport } from "../device/plan_memory.ts";
import { countParameters } from "../model/module.ts";
import type { Network } from "../model/network.ts";
import { forwardWork, type NetworkImage } from "../model/network_capture.ts";

/** Bytes for a person: "35.2 MiB". */
export function formatBytes(bytes: number): string {
  const units = ["bytes", "KiB", "MiB", "GiB", "TiB"];
  let value = bytes, unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${unit === 0 ? value : value.toPrecision(3)} ${units[unit]}`;
}

/** A count for a person: "60,000". */
export function formatCount(count: number): string {
  return count.toLocaleString("en-US");
}

/** One line on a set of images. */
export function describeImages(set: ImageSet): string {
  const { count, height, width, channels, name, buckets } = set;
  const start = `${formatCount(count)} images of`;
  if (!buckets || buckets.crop) {
    return `${start} ${height}x${width}x${channels}${buckets ? " cropped at random" : ""}, ${name}`;
  }
  const counts = buckets.sizes.map((size, bucket) => {
    const own = buckets.of.reduce((sum, one) => sum + Number(one === bucket), 0);
    return `${size.join("x")}: ${formatCount(own)}`;
  });
  return `${start} ${channels} channels in buckets, ${name}; ${counts.join(", ")}`;
}

/** One line on a plan's memory, with the biggest holders at its peak. */
export function describeMemory({ peakBytes, unsharedBytes, holders }: MemoryReport): string {
  const biggest = holders.slice(0, 3).map(({ label, bytes }) => `${label} ${formatBytes(bytes)}`);
  return `${formatBytes(peakBytes)} of activations (${
    formatBytes(unsharedBytes)
  } without sharing); biggest at the peak: ${biggest.join(", ") || "none"}`;
}

/** One line on a network. */
export function describeNetwork(network: Network, image: NetworkImage): string {
  const gigaflops = 2 * forwardWork(network, image).multiplyAdds / 1e9;
  const all = countParameters(network), learned = countParameters(network, true);
  const some = learned < all ? `, ${formatCount(learned)} of them learned` : "";
  const levels = network.logSnr
    ? `, ${formatCount(countParameters(network.logSnr))} of them for the learned noise schedule`
    : "";
  return `${formatCount(all)} parameters${some}${levels}, ${
    gigaflops.toPrecision(3)
  } GFLOP an image forward`;
}

/** One line on the adapter. */
export function describeGpu(gpu: Gpu): string {
  return gpu.subgroupSize > 0
    ? `${gpu.description}, subgroups of ${gpu.subgroupSize}`
    : gpu.description;
}
