/**
 * How the U-Nets of this family differ, code base by code base.
 *
 * @module
 */

/** What one code base does. */
export interface Style {
  /** Groups of group normalisations behind standardised convolutions; else RMS normalisations. */
  readonly groups?: number;
  /** Key and value pairs that attention learns beside those of the pixels. */
  readonly memories: number;
  /** Heads of linear attention and their channels, where they are fixed. */
  readonly linearHeads?: { readonly heads: number; readonly channels: number };
  /** Whether neighbouring pixels become channels where the resolution is halved; else it strides. */
  readonly unshuffle: boolean;
  /** Axes of a sample's places. */
  readonly dims: 1 | 2;
  /** Which of the keys that not all know it knows. */
  readonly knows: readonly ("selfCondition" | "dropout" | "fullAttention" | "classes")[];
}

/** By their names in a config. */
export const STYLES = {
  /** lucidrains/denoising-diffusion-pytorch, `denoising_diffusion_pytorch.py`. */
  pytorch: {
    memories: 4,
    unshuffle: true,
    dims: 2,
    knows: ["selfCondition", "dropout", "fullAttention"],
  },
  /** The same, `classifier_free_guidance.py`. */
  classes: {
    memories: 0,
    linearHeads: { heads: 4, channels: 32 },
    unshuffle: false,
    dims: 2,
    knows: ["classes"],
  },
  /** The same, `denoising_diffusion_pytorch_1d.py`: signals `[N, 1, L, C]`. */
  signals: {
    memories: 0,
    linearHeads: { heads: 4, channels: 32 },
    unshuffle: false,
    dims: 1,
    knows: ["selfCondition", "dropout"],
  },
  /** yiyixuxu/denoising-diffusion-flax. */
  flax: {
    groups: 8,
    memories: 0,
    linearHeads: { heads: 4, channels: 32 },
    unshuffle: false,
    dims: 2,
    knows: ["selfCondition"],
  },
} as const satisfies Readonly<Record<string, Style>>;

/** The name of a style. */
export type StyleName = keyof typeof STYLES;
