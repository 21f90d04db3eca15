/**
 * Every Philox stream of the project: what is drawn for one purpose is told apart from all else by its
 * number, on the GPU (kernels/shared/philox.ts) and on the host (philox.ts). A number is never given
 * to another purpose, as old runs must resume to the same bits.
 *
 * @module
 */
export const STREAMS = {
  /** Noise levels of training. */
  timesteps: 0,
  /** Noise of training, of reconstruction and of known parts. */
  noise: 1,
  /** Noise that a sampler's step adds. */
  samplerNoise: 2,
  /** Noise that sampling starts from. */
  start: 3,
  /** Noise that a channel of a training image has in common. */
  offsetNoise: 4,
  /** Noise of training that the network is not asked for. */
  perturbation: 5,
  /** Which training images are self-conditioned. */
  selfCondition: 6,
  /** Initial weights. */
  initialWeights: 8,
  /** Latents that an autoencoder draws while it trains. */
  latentDraws: 9,
  /** The first dropout of a network; each further one takes the next number. */
  firstDropout: 16,
  /** Noise of training at lower resolutions: halved k times, this and k. */
  firstPyramid: 0xa0150,
  /** Samples that error bars are drawn from. */
  bootstrap: 0xb0075,
  /** Order of the training images. */
  order: 0xda7a0000,
  /** Which of them are mirrored. */
  flip: 0xda7a0001,
  /** Whose classes are withheld. */
  withheldClasses: 0xda7a0002,
  /** How training images are augmented. */
  augmentation: 0xda7a0003,
  /** Where training images are cropped. */
  crops: 0xda7a0004,
  /** Synthetic images of either split. */
  syntheticTrain: 0xda7a0010,
  syntheticTest: 0xda7a0011,
  /** How two sets are mixed in either split. */
  mixTrain: 0xda7a0020,
  mixTest: 0xda7a0021,
  /** Order of the buckets of training images. */
  bucketOrder: 0xda7a0040,
  /** Order of the images in the first bucket; each further one takes the next number. */
  firstBucket: 0xda7a0100,
  /** Order of image files in folders. */
  shuffledFiles: 0xda7a0030,
} as const;
