/**
 * The products and convolutions of a run's steps, for the tuner: the network is captured as a training
 * step and as a sampling step use it, without memory.
 *
 * @module
 */
import type { Gpu } from "../device/gpu.ts";
import { collectOps } from "../kernels/shared/measure_variants.ts";
import type { Variant } from "../kernels/shared/variants.ts";
import type { Network } from "../model/network.ts";
import { captureNetwork } from "../model/network_capture.ts";
import type { ImageSize } from "./pictures.ts";

/**
 * The ops of a network's steps with their variants, most costly direction first: training, then sampling.
 *
 * @param batch Images of a training step, or of its micro-batches.
 * @param samples Images of a sampling step; 0 where none are drawn.
 */
export function stepOps(
  gpu: Gpu,
  network: Network,
  batch: number,
  samples: number,
  size: ImageSize,
): Map<string, readonly Variant[]> {
  return collectOps(gpu, () => {
    captureNetwork(gpu, network, batch, size, true);
    if (samples > 0) captureNetwork(gpu, network, samples, size, false);
  });
}
