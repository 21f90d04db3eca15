/**
 * What a denoising network is given. It stands here because model/, which makes networks, and
 * diffusion/, which asks them, do not import each other.
 *
 * @module
 */
import type { TensorRef } from "../device/tensor.ts";
import type { Tensor } from "./graph.ts";

/** The inputs of a batch of N images. What is optional is for networks that know of it. */
export interface NetworkInputs {
  /** Noisy images `[N, H, W, C]`, f32. */
  readonly x: Tensor;
  /**
   * Their noise levels `[N]`: timesteps, u32, where the process counts them; else what the process
   * tells networks of a level, f32.
   */
  readonly level: TensorRef;
  /** Classes `[N]`, u32. */
  readonly labels?: TensorRef;
  /** Clean images predicted before, of the shape of `x`. */
  readonly selfCondition?: Tensor;
  /** How each image was augmented, `[N, A]`, f32. */
  readonly augment?: TensorRef;
}
