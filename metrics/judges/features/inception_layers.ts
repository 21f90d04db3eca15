/**
 * Inception v3 (Szegedy et al. 2016) as data, in the variant that is used for the Frechet inception
 * distance (Heusel et al. 2017; mseitzer/pytorch-fid): pooling branches average without counting the
 * padding, and that of the last block takes the maximum instead.
 *
 * Names of layers are those of torchvision's `state_dict`, where layer L has the tensors
 * `L.conv.weight`, `L.bn.weight`, `L.bn.bias`, `L.bn.running_mean` and `L.bn.running_var`.
 *
 * @module
 */

/** A convolution without bias, then batch normalisation and a rectifier. */
export interface ConvStep {
  readonly op: "conv";
  /** Path in the `state_dict`. */
  readonly name: string;
  /** Channels of the output. */
  readonly channels: number;
  readonly kernel: readonly [number, number];
  readonly stride: number;
  readonly padding: readonly [number, number];
}

/** One step of a branch. */
export type Step =
  | ConvStep
  /** Over 3 by 3 pixels, stride 1, padding 1 that is not counted. */
  | { readonly op: "averagePool" }
  /** Over 3 by 3 pixels. */
  | { readonly op: "maxPool"; readonly stride: number; readonly padding: number }
  /** Ends a branch in several, side by side. */
  | { readonly op: "split"; readonly branches: readonly Branch[] };

/** Steps one after the other. */
export type Branch = readonly Step[];

/** Branches over one input, joined along channels. */
export interface Stage {
  readonly name: string;
  readonly branches: readonly Branch[];
}

/** Channels of the images. */
export const INPUT_CHANNELS = 3;
/** Side to which images are resized. */
export const INPUT_SIDE = 299;
/** Length of the features of an image. */
export const POOL_FEATURES = 2048;
/** Classes of the network: ImageNet's, and some that were never used. */
export const CLASSES = 1008;
/** Added to variances by the batch normalisation. */
export const BATCH_NORM_EPS = 1e-3;
/** The last layer's weight in the `state_dict`; its bias is left out, as scores are computed without. */
export const CLASSIFIER = "fc.weight";

type Kernel = number | readonly [number, number];

/** Padding that keeps the size, unless the step strides. */
function conv(name: string, channels: number, kernel: Kernel = 1, stride = 1): ConvStep {
  const sides = typeof kernel === "number" ? [kernel, kernel] as const : kernel;
  const padding = sides.map((side) => stride === 1 ? (side - 1) / 2 : 0) as [number, number];
  return { op: "conv", name, channels, kernel: sides, stride, padding };
}

const ROW = [1, 7] as const, COLUMN = [7, 1] as const;
const AVERAGE: Step = { op: "averagePool" };
const MAXIMUM: Step = { op: "maxPool", stride: 1, padding: 1 };
const HALVE: Step = { op: "maxPool", stride: 2, padding: 0 };

const layer = (step: ConvStep): Stage => ({ name: step.name, branches: [[step]] });

/** The same without padding, so that the image shrinks by the kernel. */
const valid = (step: ConvStep): ConvStep => ({ ...step, padding: [0, 0] });

function blockA(name: string, poolChannels: number): Stage {
  const at = (path: string) => `${name}.${path}`;
  return {
    name,
    branches: [
      [conv(at("branch1x1"), 64)],
      [conv(at("branch5x5_1"), 48), conv(at("branch5x5_2"), 64, 5)],
      [
        conv(at("branch3x3dbl_1"), 64),
        conv(at("branch3x3dbl_2"), 96, 3),
        conv(at("branch3x3dbl_3"), 96, 3),
      ],
      [AVERAGE, conv(at("branch_pool"), poolChannels)],
    ],
  };
}

function blockB(name: string): Stage {
  const at = (path: string) => `${name}.${path}`;
  return {
    name,
    branches: [
      [conv(at("branch3x3"), 384, 3, 2)],
      [
        conv(at("branch3x3dbl_1"), 64),
        conv(at("branch3x3dbl_2"), 96, 3),
        conv(at("branch3x3dbl_3"), 96, 3, 2),
      ],
      [HALVE],
    ],
  };
}

function blockC(name: string, inner: number): Stage {
  const at = (path: string) => `${name}.${path}`;
  return {
    name,
    branches: [
      [conv(at("branch1x1"), 192)],
      [
        conv(at("branch7x7_1"), inner),
        conv(at("branch7x7_2"), inner, ROW),
        conv(at("branch7x7_3"), 192, COLUMN),
      ],
      [
        conv(at("branch7x7dbl_1"), inner),
        conv(at("branch7x7dbl_2"), inner, COLUMN),
        conv(at("branch7x7dbl_3"), inner, ROW),
        conv(at("branch7x7dbl_4"), inner, COLUMN),
        conv(at("branch7x7dbl_5"), 192, ROW),
      ],
      [AVERAGE, conv(at("branch_pool"), 192)],
    ],
  };
}

function blockD(name: string): Stage {
  const at = (path: string) => `${name}.${path}`;
  return {
    name,
    branches: [
      [conv(at("branch3x3_1"), 192), conv(at("branch3x3_2"), 320, 3, 2)],
      [
        conv(at("branch7x7x3_1"), 192),
        conv(at("branch7x7x3_2"), 192, ROW),
        conv(at("branch7x7x3_3"), 192, COLUMN),
        conv(at("branch7x7x3_4"), 192, 3, 2),
      ],
      [HALVE],
    ],
  };
}

function blockE(name: string, pool: Step): Stage {
  const at = (path: string) => `${name}.${path}`;
  const split = (path: string): Step => ({
    op: "split",
    branches: [[conv(at(`${path}a`), 384, [1, 3])], [conv(at(`${path}b`), 384, [3, 1])]],
  });
  return {
    name,
    branches: [
      [conv(at("branch1x1"), 320)],
      [conv(at("branch3x3_1"), 384), split("branch3x3_2")],
      [
        conv(at("branch3x3dbl_1"), 448),
        conv(at("branch3x3dbl_2"), 384, 3),
        split("branch3x3dbl_3"),
      ],
      [pool, conv(at("branch_pool"), 192)],
    ],
  };
}

/** The network up to the last block, `[N, 299, 299, 3]` to `[N, 8, 8, 2048]`. */
export const STAGES: readonly Stage[] = [
  layer(conv("Conv2d_1a_3x3", 32, 3, 2)),
  layer(valid(conv("Conv2d_2a_3x3", 32, 3))),
  layer(conv("Conv2d_2b_3x3", 64, 3)),
  { name: "maxpool1", branches: [[HALVE]] },
  layer(conv("Conv2d_3b_1x1", 80)),
  layer(valid(conv("Conv2d_4a_3x3", 192, 3))),
  { name: "maxpool2", branches: [[HALVE]] },
  blockA("Mixed_5b", 32),
  blockA("Mixed_5c", 64),
  blockA("Mixed_5d", 64),
  blockB("Mixed_6a"),
  blockC("Mixed_6b", 128),
  blockC("Mixed_6c", 160),
  blockC("Mixed_6d", 160),
  blockC("Mixed_6e", 192),
  blockD("Mixed_7a"),
  blockE("Mixed_7b", AVERAGE),
  blockE("Mixed_7c", MAXIMUM),
];

/** A convolution and the channels that it reads. */
export interface SizedConv {
  readonly step: ConvStep;
  readonly inputs: number;
}

/** Every convolution of the stages in the order in which they run. */
export function convolutionsOf(stages: readonly Stage[], inputs: number): SizedConv[] {
  const found: SizedConv[] = [];
  /** Channels after a branch. */
  const walk = (branch: Branch, channels: number): number => {
    for (const step of branch) {
      if (step.op === "conv") {
        found.push({ step, inputs: channels });
        channels = step.channels;
      } else if (step.op === "split") {
        channels = sum(step.branches, channels);
      }
    }
    return channels;
  };
  const sum = (branches: readonly Branch[], channels: number) =>
    branches.reduce((total, branch) => total + walk(branch, channels), 0);
  let channels = inputs;
  for (const { branches } of stages) channels = sum(branches, channels);
  return found;
}
