/**
 * A chain of small networks, each of which knows one noise level and therefore needs no embedding of
 * time, trained from the noise to the image at once (zjuyzj/pytorch-ddpm; diffusion/unrolled.ts has the
 * loss).
 *
 * @module
 */
import type { Graph, Tensor } from "../../../autograd/graph.ts";
import { Module } from "../../module.ts";
import type { Network, NetworkInputs, NetworkShape } from "../../network.ts";
import type { UnrolledOptions } from "./options.ts";
import { FlatUNet } from "./unet.ts";

/** Groups where none are given, as in the code of the source. */
const GROUPS = 32;

/**
 * The timesteps of the networks, ascending from 0 to T - 1: floor(i (T - 1) / (S - 1)), i < S. One more
 * or less than the source's where that rounds i (T - 1) / (S - 1) in f32 across a whole number.
 */
export function stageTimesteps(stages: number, timesteps: number): number[] {
  return Array.from({ length: stages }, (_, i) => Math.floor(i * (timesteps - 1) / (stages - 1)));
}

/** The part of the timesteps that one is in, of `parts` which are equal but for rounding up. */
function partOf(timestep: number, parts: number, timesteps: number): number {
  return Math.min(parts - 1, Math.floor(timestep / Math.ceil(timesteps / parts)));
}

/** The chain. */
export class UnrolledChain extends Module implements Network {
  /** The timestep that each of the networks is for, ascending. */
  readonly stages: readonly number[];
  /** The networks, that of the least noise first. */
  readonly nets: FlatUNet[];

  /** Builds the networks; their weights are made apart. */
  constructor(options: UnrolledOptions, { channels: images, timesteps }: NetworkShape) {
    super();
    const { stages, blocks, channels, groups, dropout } = options;
    this.stages = stageTimesteps(stages, timesteps);
    this.nets = this.stages.map((timestep) => {
      const part = partOf(timestep, blocks.length, timesteps);
      const width = channels[part]!;
      return new FlatUNet({
        ...{ channels: images, width, blocks: blocks[part]!, dropout },
        groups: groups ?? (width % GROUPS === 0 ? GROUPS : width),
      });
    });
  }

  /**
   * See {@linkcode Network.forward}.
   *
   * @throws {RangeError} When it is not told which of the networks is asked.
   */
  forward(_: Graph, { x, stage }: NetworkInputs): Tensor {
    const net = stage === undefined ? undefined : this.nets[stage];
    if (net) return net.forward(x);
    throw new RangeError(
      `Cannot run the chain: one of its ${this.nets.length} networks must be asked, as training and ` +
        `samplers do, got ${stage ?? "levels that are not known in advance"}`,
    );
  }
}
