/**
 * What is in generated images as training goes on: the power of every ring of frequencies and, where
 * images are small, of every eigenmode of the data's covariance, against the data's. Images come from
 * previews, always of the same x_T, so that two looks differ by what was learnt in between; further
 * previews without a picture, at geometrically spaced steps, show the beginning. emergence_times.ts
 * tells when each emerged.
 *
 * Nothing is kept between looks: a resumed run writes the lines of one that never stopped.
 *
 * @module
 */
import type { SpectralReference } from "./spectra.ts";
import { type Memorisation, memorisation } from "../judges/memorisation.ts";
import type { DataModes } from "../numerics/data_modes.ts";
import { rounded } from "../numerics/rounded.ts";

/** What the instrument is made of. */
export interface EmergenceParts {
  readonly reference: SpectralReference;
  /** The modes of the training images; null where they are not followed. */
  readonly modes: DataModes | null;
  /** Training images that samples of previews are compared with, to find copies; null = none. */
  readonly training: Uint8Array | null;
  /** Values of an image. */
  readonly length: number;
  /** Steps between two previews with a picture. */
  readonly everySteps: number;
  /** The further steps. */
  readonly looks: ReadonlySet<number>;
}

/** A line of the log. */
export type EmergenceEvent = {
  readonly event: "emergence";
  /** Samples. */
  readonly count: number;
  /** Mean power of rings |k| = 1, 2, ... of the data, and of the samples with its standard error. */
  readonly data: readonly number[];
  readonly power: readonly number[];
  readonly error: readonly number[];
  /** The data's variance in its eigenmodes, largest first, and the samples' about the data's mean. */
  readonly variances: readonly number[];
  readonly modes: readonly number[];
  /** Of previews with a picture. */
  readonly memorisation: Memorisation | null;
};

/**
 * Geometrically spaced steps, from the first to the last, about so many, each once, and 0 for before
 * the first.
 *
 * @param count 0 = none.
 */
export function geometricSteps(count: number, steps: number): Set<number> {
  const found = new Set(count > 0 ? [0] : []);
  for (let i = 0; i < count; i++) {
    found.add(Math.round(steps ** (i / Math.max(1, count - 1))));
  }
  return found;
}

/** The instrument: an observer of a run. */
export class EmergenceWatch {
  readonly everySteps: number;
  readonly atEnd = true;
  #samples: Float32Array | null = null;

  constructor(private readonly parts: EmergenceParts) {
    this.everySteps = parts.everySteps;
  }

  /** Whether it wants a preview after so many steps. */
  also(step: number): boolean {
    return this.parts.looks.has(step);
  }

  /** Takes the samples of a preview. */
  preview(images: Float32Array): void {
    this.#samples = images;
  }

  /** What is in the last preview; null without one of two images at least. */
  async read(step: number): Promise<EmergenceEvent | null> {
    const images = this.#samples, { reference, modes, training, length } = this.parts;
    this.#samples = null;
    if (!images || images.length < 2 * length) return null;
    const { power, error } = reference.compare(await reference.measure(images));
    const pictured = step > 0 && step % this.everySteps === 0;
    return {
      event: "emergence",
      count: images.length / length,
      data: reference.data.power,
      ...{ power, error },
      variances: modes ? Array.from(modes.variances, rounded) : [],
      modes: modes ? Array.from(modes.powersOf(images), rounded) : [],
      memorisation: training && pictured ? memorisation(images, training, length) : null,
    };
  }

  /** Frees its memory. */
  destroy(): void {
    this.parts.reference.destroy();
  }
}
