/**
 * What the rest of the house knows of a denoising network, whichever it is.
 *
 * @module
 */
import type { Graph, Tensor } from "../autograd/graph.ts";
import type { Conditioning, NetworkInputs } from "../autograd/network_inputs.ts";
import type { FieldTable, KeyNames, KeyRules } from "../support/options.ts";
import type { LogSnr } from "./log_snr.ts";
import type { Module } from "./module.ts";
import type { PytorchEntry } from "./names/pytorch.ts";

export type { Conditioning, NetworkInputs };

/** What data and diffusion process decide about a network. */
export interface NetworkShape {
  /** Upper to lower side of the images, in pixels. */
  readonly height: number;
  /** Left to right side of the images, in pixels. */
  readonly width: number;
  /** Slices of a volume, which lie one below the other in the image; 1 unless given. */
  readonly depth?: number;
  /** Channels of the images that go in. */
  readonly channels: number;
  /**
   * Channels that come out where the images' are not all, first the prediction's; as many as go in, or those
   * of a learned variance as well, unless given.
   */
  readonly outputs?: number | undefined;
  /** Timesteps T of the diffusion process; the network is asked for 0 to T - 1. */
  readonly timesteps: number;
}

/** A function of noisy images and timesteps, with parameters. */
export interface Network extends Module {
  /** What it wants to know beside noisy images and their levels; nothing unless given. */
  readonly conditioning?: Conditioning;
  /** Channels, from the first on, that guidance acts on; all unless given. */
  readonly guidedChannels?: number;
  /** What its activations and copies of its weights are stored as; f32 unless given. */
  activations?: "f32" | "f16";
  /**
   * The timesteps, ascending, that each of the networks of a chain is for; a network for all levels has
   * none.
   */
  readonly stages?: readonly number[];
  /** The network of the noise schedule, where that is learned with it; training/network_of.ts adds it. */
  logSnr?: LogSnr;

  /**
   * Records a forward pass.
   *
   * @param graph The graph of the images, with slots for the network's parameters.
   * @returns The prediction, of the shape of the images; more channels may follow, such as a learned
   *   variance's.
   * @throws {RangeError} When the network can't take such inputs.
   */
  forward(graph: Graph, inputs: NetworkInputs): Tensor;

  /** The same with the learned variance, where `forward` leaves it out. */
  forwardWithVariance?(graph: Graph, inputs: NetworkInputs): Tensor;
}

/** What a network with such options can't serve: "<key> must <rule>; <hint>". */
export interface Misfit {
  readonly key: "size" | "channels" | "outputs" | "timesteps";
  readonly rule: string;
  /** What to do about it. */
  readonly hint?: string;
}

/** Every parameter of a network under its name in another code base. */
export type NameMap<N extends Network> = (network: N) => readonly PytorchEntry[];

/** A network that a config can name: a folder of networks/ exports one, registry.ts lists it. */
export interface NetworkKind<O, N extends Network = Network> extends KeyRules<O> {
  /** Its keys of a config, and `checks` and `warnings` between them. */
  readonly options: FieldTable;
  /** Whether it takes `outputs` of its shape; false unless given. */
  readonly anyOutputs?: boolean;
  /**
   * What images and process have that these options don't fit, if anything.
   *
   * @param at Names of its keys as the user writes them.
   */
  check?(options: O, shape: NetworkShape, at: KeyNames): Misfit | null;
  /** Makes it, without memory: see parameters.ts for that. */
  create(options: O, shape: NetworkShape): N;
  /** Its parameters' names in other code bases, by the name of the code base. */
  readonly names?: Readonly<Record<string, NameMap<N>>>;
}
