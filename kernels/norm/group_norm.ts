/**
 * Group normalisation (Wu and He 2018, equations 1 to 4) of channels-last images, with SiLU and dropout
 * fused behind it by choice:
 *
 *     xhat = (x - mean) rstd,   z = xhat weight + bias,   y = z  or  y = z s(z)
 *     dx = rstd (weight dz - (sum(weight dz) + xhat sum(weight dz xhat)) / m)
 *     dweight = sum(dz xhat),   dbias = sum(dz),   dz = dy  or  dy s(z) (1 + z (1 - s(z)))
 *
 * mean and rstd = 1 / sqrt(variance + eps) are taken over the m elements of one image and group.
 *
 * One dispatch forward and one backward, which leaves the gradients of weight and bias in parts and, if
 * asked to, y in the place of dy. A group may have any number of channels, so a vector of four may
 * straddle groups: sums are taken a channel first and combined a group in workgroup memory; the second
 * look at the image then comes from the cache. A CPU driver, to which each look costs as much, takes both
 * from textures (`device/operand_textures.ts`).
 *
 * @module
 */
import type { Capture } from "../../device/capture.ts";
import type { Task } from "../../device/dispatch.ts";
import { fitsTexture } from "../../device/operand_textures.ts";
import { formatShape, joinedAs, sizeOf, type TensorRef } from "../../device/tensor.ts";
import { affineSums } from "./affine_parts.ts";
import { type DropoutOptions, dropoutParams } from "../elementwise/dropout.ts";
import { flatGrid } from "../shared/grid.ts";
import { backwardKernel } from "./group_norm_backward.ts";
import { forwardKernel } from "./group_norm_kernels.ts";
import { type GroupNormLayout, groupParams, layOutGroups } from "./group_norm_layout.ts";
import type { PartialSum } from "../shared/partial_sums.ts";
import { type PixelSums, PixelSumsTask } from "../shared/pixel_sums.ts";
import { readsTextures } from "../shared/variants.ts";

/** Choices of group normalisation. */
export interface GroupNormOptions {
  /** Groups that the channels are cut into; must divide them. */
  readonly groups: number;
  /** Added to the variance. */
  readonly eps: number;
  /** Whether SiLU follows. */
  readonly silu: boolean;
  /** Whether dropout follows that; the gradient draws the same mask again. */
  readonly dropout?: (DropoutOptions & { readonly key: TensorRef }) | undefined;
}

/**
 * Whether dropout can be fused: its quads of elements must be vectors of channels, and the gradient needs
 * more storage bindings than the eight that WebGPU promises.
 */
export function canFuseDropout({ gpu }: Capture, x: TensorRef): boolean {
  const wide = [x.shape.at(-1) ?? 0, x.seam ?? 0].every((channels) => channels % 4 === 0);
  return wide && gpu.limits.maxStorageBuffersPerShaderStage >= 10;
}

/** What the backward pass needs besides the input. */
export interface GroupNormSaved {
  /** Means, `[N, groups]`. */
  readonly mean: TensorRef;
  /** `1 / sqrt(variance + eps)`, `[N, groups]`. */
  readonly rstd: TensorRef;
}

/**
 * `y = silu?(groupnorm(x) weight + bias)`.
 *
 * @param x `[N, H, W, C]`; may be joined of two.
 * @param weight `[C]`; or `[N, 2, C]`, of each image its weights and then its biases.
 * @param bias `[C]`; undefined where `weight` holds the biases.
 * @throws {RangeError} When shapes or groups do not fit.
 */
export function groupNormForward(
  capture: Capture,
  x: TensorRef,
  weight: TensorRef,
  bias: TensorRef | undefined,
  options: GroupNormOptions,
): { y: TensorRef } & GroupNormSaved {
  const layout = layOutGroups(capture.gpu, x, options.groups);
  const { dropout } = options;
  checkAffine(layout, weight, bias);
  const y = capture.transient(x.shape, "groupNorm", x.dtype);
  const mean = capture.transient([layout.images, layout.groups], "groupNorm mean");
  const rstd = capture.transient([layout.images, layout.groups], "groupNorm rstd");
  capture.dispatch({
    kernel: forwardKernel(layout, variantOf(capture, options, bias, [x], layout)),
    bindings: {
      x,
      weight,
      ...(bias ? { bias } : {}),
      y,
      mean,
      rstd,
      ...(dropout ? { key: dropout.key } : {}),
    },
    params: {
      ...groupParams(layout),
      eps: options.eps,
      ...(dropout ? dropoutParams(dropout.key, layout.images, dropout) : {}),
    },
    workgroups: flatGrid(layout.images * layout.slabs),
    task: new OutputTask(x, options, y),
  });
  return { y, mean, rstd };
}

/** What {@linkcode groupNormBackward} computes. */
export interface GroupNormWanted extends InPassing {
  readonly x: boolean;
  /** Added to dx while that is at hand: gradients of x from elsewhere, of its shape; at most two. */
  readonly plus?: readonly TensorRef[];
}

/** What the kernel of the gradient of x does in passing. */
interface InPassing {
  /** Where the sums of dx over the pixels of each image are added, see {@linkcode canSumPixels}. */
  readonly sums?: PixelSums | undefined;
  /** Whether y is written over dy, bit for bit what the forward pass made. */
  readonly y?: boolean;
}

/** An output made from `of`; the gradient has all that it takes at hand. */
class OutputTask implements Task {
  constructor(
    readonly of: TensorRef,
    readonly options: GroupNormOptions,
    readonly result: TensorRef,
  ) {}
}

/** Whether sums over pixels can be fused: there must be more storage bindings than WebGPU's eight. */
export function canSumPixels({ gpu }: Capture): boolean {
  return gpu.limits.maxStorageBuffersPerShaderStage >= 10;
}

/**
 * Gradients of {@linkcode groupNormForward} from the upstream gradient `dy`. The dispatch takes two tasks
 * of others in passing: sums of dx over pixels, and the output, made again in the place of dy.
 *
 * @param saved What the forward pass was given and left. Where x is joined, so are dx and what is added.
 * @param dy Overwritten where the output is wanted.
 * @param options Those of the forward pass.
 * @param wanted Whether the gradient of x is wanted; else null stands for it.
 * @returns dx, and the gradients of weight and bias in parts: `affine` has those of each image.
 */
export function groupNormBackward(
  capture: Capture,
  saved: { x: TensorRef; weight: TensorRef; bias?: TensorRef | undefined } & GroupNormSaved,
  dy: TensorRef,
  options: GroupNormOptions,
  wanted: GroupNormWanted = { x: true },
): { dx: TensorRef | null; dweight: PartialSum; dbias: PartialSum; affine: TensorRef } {
  const { x } = saved;
  const layout = layOutGroups(capture.gpu, x, options.groups);
  const parts = capture.transient([layout.images, 2, layout.channels], "groupNorm parts");
  const dx = wanted.x
    ? joinedAs(capture.transient(x.shape, "groupNorm dx", x.dtype), x.seam)
    : null;
  const plus = dx ? wanted.plus ?? [] : [];
  const inPassing = dx ? wanted : {};
  recordBackward(capture, { ...saved, dy, parts, dx, plus }, { layout, options }, inPassing);
  return { dx, ...affineSums(parts), affine: parts };
}

/** Tensors of the gradient's kernel. */
interface BackwardTensors extends GroupNormSaved {
  readonly x: TensorRef;
  readonly dy: TensorRef;
  readonly weight: TensorRef;
  readonly bias?: TensorRef | undefined;
  readonly parts: TensorRef;
  readonly dx: TensorRef | null;
  readonly plus: readonly TensorRef[];
}

function recordBackward(
  capture: Capture,
  tensors: BackwardTensors,
  how: { readonly layout: GroupNormLayout; readonly options: GroupNormOptions },
  inPassing: InPassing,
): void {
  const { dx, bias, plus: [plus, plus2], ...rest } = tensors;
  const { layout, options: { dropout } } = how;
  const { sums, y = false } = inPassing;
  const kernel = backwardKernel(layout, {
    ...variantOf(capture, how.options, bias, [rest.x, rest.dy], layout),
    dx: dx !== null,
    plus: plus2 ? 2 : plus ? 1 : 0,
    sums: sums && (sums.alone ? "store" : "add"),
    y,
  });
  const also = (more: InPassing) => () =>
    recordBackward(capture, tensors, how, { sums, y, ...more });
  capture.dispatch({
    kernel,
    bindings: {
      ...rest,
      ...(bias ? { bias } : {}),
      ...(y ? { again: rest.dy } : {}),
      ...(dx ? { dx } : {}),
      ...(plus ? { plus } : {}),
      ...(plus2 ? { plus2 } : {}),
      ...(sums ? { sums: sums.matrix } : {}),
      ...(dropout ? { key: dropout.key } : {}),
    },
    params: {
      ...groupParams(layout),
      ...(sums ? { sumRow: sums.matrix.shape[1] ?? 0, sumStart: sums.start } : {}),
      ...(dropout ? dropoutParams(dropout.key, layout.images, dropout) : {}),
    },
    workgroups: flatGrid(layout.images * layout.slabs),
    ...(sums && !sums.alone
      ? {
        adds: {
          matrix: sums.matrix,
          start: sums.start,
          columns: layout.channels,
          store: also({ sums: { ...sums, alone: true } }),
        },
      }
      : {}),
    takes: (task) => {
      if (!dx) return undefined;
      if (task instanceof OutputTask && task.options === how.options && !y) {
        return { record: also({ y: true }), over: rest.dy };
      }
      const canSum = !sums && !plus && dx.seam === undefined && canSumPixels(capture);
      if (canSum && task instanceof PixelSumsTask && task.of.storage === dx.storage) {
        return { record: also({ sums: task.into }) };
      }
      return undefined;
    },
  });
}

/** @param twice What is read twice. */
function variantOf(
  { gpu }: Capture,
  { silu, dropout }: GroupNormOptions,
  bias: TensorRef | undefined,
  twice: readonly TensorRef[],
  { width }: GroupNormLayout,
) {
  return {
    silu,
    dropout: dropout !== undefined,
    each: bias === undefined,
    textured: readsTextures(gpu) && twice.every((tensor) => fitsTexture(gpu, tensor, width)),
  };
}

function checkAffine(
  { images, channels }: GroupNormLayout,
  weight: TensorRef,
  bias: TensorRef | undefined,
): void {
  const size = bias ? channels : images * 2 * channels;
  for (const [name, tensor] of [["weight", weight], ["bias", bias]] as const) {
    if (tensor && sizeOf(tensor.shape) !== size) {
      throw new RangeError(
        `Cannot normalise groups: ${name} must have ${size} elements, got ${
          formatShape(tensor.shape)
        }`,
      );
    }
  }
}
