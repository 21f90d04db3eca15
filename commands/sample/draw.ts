/**
 * Draws the images of a job batch by batch, with progress, until done or told to stop.
 *
 * @module
 */
import type { Sampler, StepImages } from "../../diffusion/sampling.ts";
import { counted, startProgress } from "../../support/terminal.ts";
import { type ImageSize, toBytes } from "../../training/pictures.ts";
import { ALONE, type Collective, shareOf } from "../../training/collective.ts";
import { pauseForSignals } from "../../training/stop_signals.ts";
import type { ImageFolder } from "./image_folder.ts";
import type { Job } from "./jobs.ts";

/** Milliseconds between two lines of progress where there is no terminal. */
const LINE_MS = 5000;

/** Who wants to see images on the way: a movie, a strip. */
export interface Onlooker {
  wants(move: number): boolean;
  add(move: number, images: StepImages): void;
}

/** How {@linkcode drawJob} goes about it. */
export interface DrawOptions {
  /** Images at once. */
  readonly batch: number;
  readonly size: ImageSize;
  /** Where each image is written. */
  readonly folder: ImageFolder | null;
  /** The processes that draw, each its share of what is missing; this one alone unless given. */
  readonly collective?: Collective;
  /** Whether images that the folder has are drawn all the same, for pictures of all. */
  readonly all: boolean;
  readonly onlookers: readonly Onlooker[];
  /** Once aborted, drawing ends after the step at hand; the batch at hand is lost. */
  readonly signal: AbortSignal;
}

/** What came of it. */
export interface Drawn {
  /** Whether it was told to stop before all was done. */
  readonly stopped: boolean;
  /** Images that were drawn. */
  readonly count: number;
  /** Those that the folder has, with those that it had. */
  readonly inFolder: number;
  /** All images as bytes, `[n, h, w, c]`; null unless `all`. */
  readonly images: Uint8Array<ArrayBuffer> | null;
  /** The same in [-1, 1] and beyond, as they were computed. */
  readonly values: Float32Array<ArrayBuffer> | null;
}

/**
 * In words how many steps an image takes: as many as progress counts, for each batch.
 *
 * @param batch Images at once.
 */
export function describeSteps({ timesteps, names }: Job, batch: number): string {
  const visited = timesteps.filter((timestep) => timestep !== null);
  const again = visited.length - new Set(visited).size;
  return counted(visited.length, "step") +
    (names.length > batch ? ` for each ${counted(batch, "image")}` : "") +
    (again > 0 ? `, ${again} of them to go over parts of the way again` : "");
}

/** Draws what is missing of a job's images; what came of it in all processes. */
export async function drawJob(job: Job, sampler: Sampler, options: DrawOptions): Promise<Drawn> {
  const own = await drawShare(job, sampler, options);
  const { collective = ALONE } = options;
  if (collective.size === 1) return own;
  const parts = await collective.gather(Float32Array.of(own.stopped ? 1 : 0, own.count));
  const count = parts.reduce((sum, [, count = 0]) => sum + count, 0);
  const inFolder = own.inFolder - own.count + count;
  return { ...own, count, inFolder, stopped: parts.some(([stopped]) => stopped === 1) };
}

async function drawShare(job: Job, sampler: Sampler, options: DrawOptions): Promise<Drawn> {
  const { batch, size, folder, all, onlookers, signal, collective = ALONE } = options;
  const present = folder?.present ?? new Set();
  const had = job.names.filter((name) => present.has(name)).length;
  const missing = job.names.flatMap((name, i) => all || !present.has(name) ? [i] : []);
  const { first, end } = shareOf(missing.length, collective);
  const indices = missing.slice(first, end);
  const length = size.height * size.width * size.channels;
  const images = all ? new Uint8Array(job.names.length * length) : null;
  const computed = all ? new Float32Array(job.names.length * length) : null;
  const watching = createWatch(
    job,
    indices.length,
    batch,
    folder ? had : null,
    collective.rank > 0,
  );
  let count = 0, written = 0;
  try {
    for (let at = 0; at < indices.length; at += batch) {
      const own = indices.slice(at, at + batch);
      const values = await job.draw(sampler, own, {
        signal,
        wants: (move) => onlookers.some((onlooker) => onlooker.wants(move)),
        onImages: (move, look) => {
          for (const onlooker of onlookers) if (onlooker.wants(move)) onlooker.add(move, look);
        },
        onStep: (_, move) => watching.step(at, move),
      });
      const bytes = toBytes(values);
      images?.set(bytes, at * length);
      computed?.set(values.subarray(0, bytes.length), at * length);
      count += own.length;
      for (const [k, i] of own.entries()) {
        const name = job.names[i]!;
        if (!folder || present.has(name)) continue;
        await folder.write(name, bytes.subarray(k * length, (k + 1) * length), size);
        written++;
      }
    }
  } catch (error) {
    if (!signal.aborted || error !== signal.reason) throw error;
    return { stopped: true, count, inFolder: had + written, images: null, values: null };
  } finally {
    watching.stop();
  }
  return { stopped: false, count, inFolder: had + written, images, values: computed };
}

/**
 * Progress in steps of batches, which is what takes the time, with a note that counts images. Going
 * back to more noise is no step: the network is not asked.
 *
 * @param had Images that a folder had before; null where there is none.
 * @param silent Whether another process tells.
 */
function createWatch(
  job: Job,
  count: number,
  batch: number,
  had: number | null,
  silent: boolean,
) {
  const last = job.timesteps.length - 1;
  let steps = 0;
  /** Steps up to each move, with it. */
  const stepsTo = job.timesteps.map((timestep) => timestep === null ? steps : ++steps);
  const total = Math.ceil(count / batch) * steps;
  const progress = silent ? null : startProgress({ label: "sample", total });
  const live = Deno.stderr.isTerminal();
  let shown = performance.now();
  return {
    async step(at: number, move: number): Promise<void> {
      const done = at / batch * steps + stepsTo[move]!;
      const now = performance.now();
      if (live || now - shown > LINE_MS || done === total) {
        // The images of the batch at hand are not there yet.
        const whole = at + (move === last ? Math.min(batch, count - at) : 0);
        const note = had === null
          ? counted(whole, "image")
          : `${had + whole}/${counted(job.names.length, "image")}`;
        progress?.update(done, note);
        shown = now;
      }
      await pauseForSignals();
    },
    stop: () => progress?.stop(),
  };
}
