/**
 * What the rest of the house knows of a denoising network, whichever it is.
 *
 * @module
 */
import type { Graph, Tensor } from "../autograd/graph.ts";
import type { Conditioning, NetworkInputs } from "../autograd/network_inputs.ts";
import type { Module } from "./module.ts";

export type { Conditioning, NetworkInputs };

/** What data and diffusion process decide about a network. */
export interface NetworkShape {
  /** Channels of the images that go in and come out. */
  readonly channels: number;
  /** Timesteps T of the diffusion process; the network is asked for 0 to T - 1. */
  readonly timesteps: number;
}

/** A function of noisy images and timesteps, with parameters. */
export interface Network extends Module {
  /** What it wants to know beside noisy images and their levels; nothing unless given. */
  readonly conditioning?: Conditioning;

  /**
   * Records a forward pass.
   *
   * @param graph The graph of the images, with slots for the network's parameters.
   * @returns The prediction, of the shape of the images.
   * @throws {RangeError} When the network can't take such inputs.
   */
  forward(graph: Graph, inputs: NetworkInputs): Tensor;

  /**
   * Refuses images of a size that the network can't take.
   *
   * @throws {RangeError} Naming the nearest size that works.
   */
  checkImageSize(height: number, width: number): void;
}
