/**
 * `AutoencoderKL` of Hugging Face diffusers: an encoder from images to Gaussians of latents, and a decoder
 * (Kingma and Welling 2014; Rombach et al. 2022, arXiv 2112.10752, section 3.1). Properties are named as
 * they are there, so that parameters' names follow.
 *
 * @module
 */
import type { Tensor } from "../../autograd/graph.ts";
import { columns } from "../../autograd/ops/columns.ts";
import { type Conv2d, GroupNorm } from "../layers.ts";
import { Module } from "../module.ts";
import {
  type BlockStyle,
  conv,
  Downsampler,
  MidBlock,
  PixelAttention,
  Resnet,
  Upsampler,
} from "../networks/diffusers/blocks.ts";
import type { AutoencoderOptions } from "./options.ts";

/** What is added to variances. */
const EPS = 1e-6;

/** Mean and logarithm of the variance of each latent, `[N, h, w, latentChannels]`. */
export interface LatentGaussian {
  readonly mean: Tensor;
  readonly logVariance: Tensor;
}

class EncoderLevel extends Module {
  constructor(
    readonly attentions: readonly PixelAttention[],
    readonly resnets: readonly Resnet[],
    readonly downsamplers: readonly Downsampler[],
  ) {
    super();
  }
}

class DecoderLevel extends Module {
  constructor(
    readonly attentions: readonly PixelAttention[],
    readonly resnets: readonly Resnet[],
    readonly upsamplers: readonly Upsampler[],
  ) {
    super();
  }
}

function styleOf({ normNumGroups: groups, actFn: act }: AutoencoderOptions): BlockStyle {
  return { groups, eps: EPS, act, dropout: 0 };
}

function middleOf(options: AutoencoderOptions): MidBlock {
  const style = styleOf(options), channels = options.blockOutChannels.at(-1)!;
  const attention = { groups: style.groups, headChannels: channels };
  return new MidBlock(channels, style, options.midBlockAddAttention ? attention : undefined);
}

/** Residual blocks of a level, and attention after each where its kind has one. */
function blocksOf(
  type: string,
  count: number,
  { inputs, outputs }: { readonly inputs: number; readonly outputs: number },
  style: BlockStyle,
): [PixelAttention[], Resnet[]] {
  const each = Array.from({ length: count }, (_, i) => i);
  return [
    type.startsWith("Attn")
      ? each.map(() => new PixelAttention(outputs, style.groups, outputs, style))
      : [],
    each.map((i) => new Resnet(i === 0 ? inputs : outputs, outputs, style)),
  ];
}

function through(
  x: Tensor,
  { resnets, attentions }: Pick<EncoderLevel, "resnets" | "attentions">,
): Tensor {
  return resnets.reduce((h, resnet, i) => {
    const y = resnet.forward(h);
    return attentions[i]?.forward(y) ?? y;
  }, x);
}

/** From images to moments. */
class Encoder extends Module {
  readonly convIn: Conv2d;
  readonly downBlocks: readonly EncoderLevel[];
  readonly midBlock: MidBlock;
  readonly convNormOut: GroupNorm;
  readonly convOut: Conv2d;

  constructor(options: AutoencoderOptions) {
    super();
    const { blockOutChannels: widths, downBlockTypes, layersPerBlock } = options;
    const style = styleOf(options), last = widths.at(-1)!;
    this.convIn = conv(options.inChannels, widths[0]!);
    this.downBlocks = widths.map((outputs, level) => {
      const sizes = { inputs: widths[level - 1] ?? outputs, outputs };
      const isLast = level === widths.length - 1;
      return new EncoderLevel(
        ...blocksOf(downBlockTypes[level]!, layersPerBlock, sizes, style),
        isLast ? [] : [new Downsampler(outputs, 0)],
      );
    });
    this.midBlock = middleOf(options);
    this.convNormOut = new GroupNorm(last, style.groups, EPS);
    this.convOut = conv(last, 2 * options.latentChannels);
  }

  forward(x: Tensor): Tensor {
    let h = this.convIn.forward(x);
    for (const level of this.downBlocks) {
      h = through(h, level);
      for (const one of level.downsamplers) h = one.forward(h);
    }
    return ended(this.midBlock.forward(h), this);
  }
}

/** From latents to images. */
class Decoder extends Module {
  readonly convIn: Conv2d;
  readonly midBlock: MidBlock;
  readonly upBlocks: readonly DecoderLevel[];
  readonly convNormOut: GroupNorm;
  readonly convOut: Conv2d;

  constructor(options: AutoencoderOptions) {
    super();
    const { upBlockTypes, layersPerBlock } = options;
    const widths = options.blockOutChannels.toReversed();
    const style = styleOf(options), last = widths.at(-1)!;
    this.convIn = conv(options.latentChannels, widths[0]!);
    this.midBlock = middleOf(options);
    this.upBlocks = widths.map((outputs, level) => {
      const sizes = { inputs: widths[level - 1] ?? outputs, outputs };
      const isLast = level === widths.length - 1;
      return new DecoderLevel(
        ...blocksOf(upBlockTypes[level]!, layersPerBlock + 1, sizes, style),
        isLast ? [] : [new Upsampler(outputs)],
      );
    });
    this.convNormOut = new GroupNorm(last, style.groups, EPS);
    this.convOut = conv(last, options.outChannels);
  }

  forward(z: Tensor): Tensor {
    let h = this.midBlock.forward(this.convIn.forward(z));
    for (const level of this.upBlocks) {
      h = through(h, level);
      for (const one of level.upsamplers) h = one.forward(h);
    }
    return ended(h, this);
  }
}

/** The end of either, which has SiLU whatever the blocks have. */
function ended(h: Tensor, { convNormOut, convOut }: Encoder | Decoder): Tensor {
  return convOut.forward(convNormOut.forward(h, { silu: true }));
}

/** The autoencoder. */
export class AutoencoderKL extends Module {
  readonly encoder: Encoder;
  readonly decoder: Decoder;
  readonly quantConv: Conv2d | undefined;
  readonly postQuantConv: Conv2d | undefined;

  /** Builds the network; its weights are made apart. */
  constructor(readonly options: AutoencoderOptions) {
    super();
    const { latentChannels, useQuantConv, usePostQuantConv } = options;
    this.encoder = new Encoder(options);
    this.decoder = new Decoder(options);
    const pointwise = { kernel: 1 };
    this.quantConv = useQuantConv
      ? conv(2 * latentChannels, 2 * latentChannels, pointwise)
      : undefined;
    this.postQuantConv = usePostQuantConv
      ? conv(latentChannels, latentChannels, pointwise)
      : undefined;
  }

  /** What the sides of images are divided by. */
  get factor(): number {
    return 2 ** (this.options.blockOutChannels.length - 1);
  }

  /**
   * `[N, H, W, inChannels]` to Gaussians of `[N, H / factor, W / factor, latentChannels]`.
   *
   * @throws {RangeError} When the images do not fit.
   */
  encode(x: Tensor): LatentGaussian {
    const [, height = 0, width = 0, channels] = x.shape;
    const { inChannels, latentChannels } = this.options;
    if (channels !== inChannels || height % this.factor || width % this.factor) {
      throw new RangeError(
        `Cannot encode images: they must have ${inChannels} channels and sides that are multiples of ` +
          `${this.factor}, got [${x.shape}]`,
      );
    }
    const encoded = this.encoder.forward(x);
    const moments = this.quantConv?.forward(encoded) ?? encoded;
    return {
      mean: columns(moments, 0, latentChannels),
      logVariance: columns(moments, latentChannels, latentChannels),
    };
  }

  /** Latents `[N, h, w, latentChannels]` to images. */
  decode(z: Tensor): Tensor {
    return this.decoder.forward(this.postQuantConv?.forward(z) ?? z);
  }
}
