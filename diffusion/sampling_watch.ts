/**
 * What is asked of a sampler, and who looks while it draws.
 *
 * @module
 */

/** What a step did to the images of a batch, unused ones left out, each `[n, h, w, c]`. */
export interface StepImages {
  /** The images before the step, x_t. */
  readonly before: Float32Array<ArrayBuffer>;
  /** The clean images that it predicted from them, clipped if the step clips. */
  readonly predicted: Float32Array<ArrayBuffer>;
  /** The images after it. */
  readonly after: Float32Array<ArrayBuffer>;
}

/** Who looks while images are made. Steps, and other moves, count from 0. */
export interface SamplingWatch {
  /** After each move of each batch. */
  onStep?(batch: number, step: number): void | Promise<void>;
  /** Whether {@linkcode onImages} wants to see a step. */
  wants?(step: number): boolean;
  /** What a step did. */
  onImages?(step: number, images: StepImages): void;
  /** Once aborted, sampling throws its reason after the move at hand. */
  readonly signal?: AbortSignal;
}

/** What is made, and who looks. */
export interface SamplingOptions extends SamplingWatch {
  /**
   * The class of each image, for networks that know of classes; the remainder of its seed divided by
   * their number unless given, so that an image depends on its seed alone.
   */
  readonly labels?: readonly number[];
}

/** Given images, and where they are to stay as they are. */
export interface InpaintingTask {
  /** `[n, h, w, c]` in [-1, 1]. */
  readonly images: Float32Array;
  /** 1 where a value is known and 0 where it is to be made, `[n, h, w, c]`. */
  readonly known: Float32Array;
}
