/**
 * What there is to draw: images of seeds, a walk between two seeds, or images to be filled in. Each
 * image can be drawn alone and comes out the same, so that a batch can be cut anywhere.
 *
 * @module
 */
import type { InpaintingWay } from "../../diffusion/inpainting.ts";
import { slerp } from "../../diffusion/interpolation.ts";
import type { Sampler, SamplingOptions, SamplingWatch } from "../../diffusion/sampling.ts";
import { levelOfMove, type Move } from "../../diffusion/moves.ts";

/** Images to draw. */
export interface Job {
  /** The image's name, in order: what its file is called and its row is labelled with. */
  readonly names: readonly string[];
  /** For each move of an image the timestep that the network is asked about; null for a move back. */
  readonly timesteps: readonly (number | null)[];
  /** What decides which images these are, beside weights and sampler. */
  readonly facts: Readonly<Record<string, unknown>>;
  /** Images of a row of the grid, where they belong in columns. */
  readonly columns?: number | undefined;
  /** What is to be told once all is drawn; nothing unless given. */
  summary?(): string | null;
  /**
   * Draws some of the images.
   *
   * @param indices Of the images, each below the number of names.
   * @returns `[indices.length, h, w, c]`.
   */
  draw(
    sampler: Sampler,
    indices: readonly number[],
    watch: SamplingWatch,
  ): Promise<Float32Array<ArrayBuffer>>;
}

/** The name of a seed's image. */
const seedName = (seed: number) => String(seed).padStart(6, "0");

/** Classes that images have in turn; null where their seeds decide. */
export type Classes = readonly number[] | null;

/** What is drawn, with the classes of images by their indices. */
function withClasses(
  watch: SamplingWatch,
  indices: readonly number[],
  classes: Classes,
): SamplingOptions {
  return classes ? { ...watch, labels: indices.map((i) => classes[i % classes.length]!) } : watch;
}

/** What a manifest tells of classes. */
const factsOf = (classes: Classes) => classes ? { classes } : {};

/** Columns of a grid: one for each class. */
const columnsOf = (classes: Classes) => classes && classes.length > 1 ? classes.length : undefined;

/** An image for each seed. */
export function seedsJob(
  seeds: readonly number[],
  moves: readonly Move[],
  facts: Job["facts"],
  classes: Classes = null,
): Job {
  return {
    columns: columnsOf(classes),
    names: seeds.map(seedName),
    timesteps: moves.map(levelOfMove),
    facts: { ...facts, ...factsOf(classes) },
    draw: (sampler, indices, watch) => {
      const own = indices.map((i) => seeds[i]!);
      return sampler.sample(moves, own, withClasses(watch, indices, classes));
    },
  };
}

/**
 * Images on the way from one seed to another; the ends are the images of the seeds.
 *
 * @param count At least 2.
 * @param moves Of a sampler that draws no noise.
 */
export function interpolationJob(
  [from, to]: readonly [number, number],
  count: number,
  moves: readonly Move[],
  classes: Classes = null,
): Job {
  return {
    names: Array.from({ length: count }, (_, i) => {
      return `${seedName(from)}-${seedName(to)}-${String(i).padStart(3, "0")}`;
    }),
    timesteps: moves.map(levelOfMove),
    facts: { interpolate: [from, to], count, ...factsOf(classes) },
    async draw(sampler, indices, watch) {
      const ends = await sampler.startNoise([from, to]);
      const length = ends.length / 2;
      const [a, b] = [ends.subarray(0, length), ends.subarray(length)];
      const start = new Float32Array(indices.length * length);
      indices.forEach((i, k) => start.set(slerp(a, b, i / (count - 1)), k * length));
      const options = withClasses(watch, indices, classes);
      return await sampler.sampleFrom(start, moves, indices.map(() => from), options);
    },
  };
}

/**
 * A given image, taken to its noise and back.
 *
 * @param image `[h, w, c]`.
 * @param inversion From the image to its noise.
 * @param moves Back.
 */
export function inversionJob(
  image: Float32Array,
  inversion: readonly Move[],
  moves: readonly Move[],
  facts: Job["facts"],
): Job {
  let off: number | null = null;
  return {
    names: ["inverted"],
    timesteps: moves.map(levelOfMove),
    facts,
    summary: () =>
      off === null ? null : `The image came back with an RMS difference of ${off.toPrecision(3)} ` +
        "in [-1, 1]; more steps, or heun, bring it nearer",
    async draw(sampler, _, watch) {
      const { signal } = watch;
      const noise = await sampler.invert(image, inversion, [0], signal ? { signal } : {});
      const back = await sampler.sampleFrom(noise, moves, [0], watch);
      const power = back.reduce((sum, value, i) => sum + (value - image[i]!) ** 2, 0);
      off = Math.sqrt(power / back.length);
      return back;
    },
  };
}

/** One image to be filled in and where it is known, both `[h, w, c]`; see {@linkcode Sampler.inpaint}. */
export interface GivenImage {
  readonly image: Float32Array;
  readonly known: Float32Array;
}

/** One given image, filled in once for each seed. */
export function inpaintingJob(
  { image, known }: GivenImage,
  seeds: readonly number[],
  way: InpaintingWay,
  facts: Job["facts"],
  classes: Classes = null,
): Job {
  return {
    names: seeds.map(seedName),
    timesteps: way.moves.map(levelOfMove),
    facts: { ...facts, ...factsOf(classes) },
    draw(sampler, indices, watch) {
      const count = indices.length;
      const task = { images: repeat(image, count), known: repeat(known, count) };
      const own = indices.map((i) => seeds[i]!);
      return sampler.inpaint(task, way, own, withClasses(watch, indices, classes));
    },
  };
}

function repeat(values: Float32Array, count: number): Float32Array<ArrayBuffer> {
  const all = new Float32Array(count * values.length);
  for (let i = 0; i < count; i++) all.set(values, i * values.length);
  return all;
}
