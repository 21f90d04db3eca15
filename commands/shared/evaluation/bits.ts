/**
 * Bits per dimension of a checkpoint on test images.
 *
 * @module
 */
import { join } from "node:path";
import { firstImages } from "../../../data/dataset.ts";
import { loadImages } from "../../../data/registry.ts";
import type { Gpu } from "../../../device/gpu.ts";
import { makeProcess } from "../../../diffusion/process.ts";
import { NO_BOUND } from "../../../diffusion/options.ts";
import { isBanded } from "../../../diffusion/processes/registry.ts";
import { createArena } from "../../../model/parameters.ts";
import { UsageError } from "../../../support/errors.ts";
import { atomicWrite, ensureFolder } from "../../../support/files.ts";
import { bitsPerDimension } from "../../../training/bits_per_dimension.ts";
import { stepName } from "../../../training/checkpoint.ts";
import { storedConfig } from "../stored_config.ts";
import { checkPrecision, type Precision } from "../../../training/precision.ts";
import { networkOf } from "../../../training/run.ts";
import { EMA_PREFIX, loadWeights, WEIGHTS_PREFIX } from "../../../training/state.ts";
import { watchStopSignals } from "../../../training/stop_signals.ts";
import { findCheckpoint, inPrecision } from "../load_sampler.ts";
import { dataPlace, evaluationFolder } from "./subject.ts";

/** Test images unless told otherwise: each is asked about at every timestep. */
const COUNT = 100;

/** What the command line says of it. */
export interface BitsChoice {
  readonly checkpoint: string | undefined;
  readonly count: number | undefined;
  readonly weights: "ema" | "raw";
  readonly batch: number;
  readonly precision: Precision | undefined;
  readonly seed: number;
  readonly out: string | undefined;
}

/**
 * Measures a checkpoint, says what it found and writes it down.
 *
 * @returns The exit code.
 * @throws {UsageError} When the options name no model of images.
 */
export async function bitsReport(
  gpu: Gpu,
  { count = COUNT, weights, batch, seed, ...options }: BitsChoice,
  say: (line: string) => void,
): Promise<number> {
  const checkpoint = await findCheckpoint(options.checkpoint), { path, step } = checkpoint;
  const stored = await storedConfig(checkpoint, weights);
  const config = inPrecision(stored, options.precision);
  const { data, diffusion, model } = config;
  if (model.latent.autoencoder !== null || diffusion.noise.name !== "gaussian") {
    throw new UsageError(
      `Cannot compute nll of ${path}: it must be a model of images with gaussian noise`,
    );
  }
  if (isBanded(diffusion.process)) {
    throw new UsageError(
      `Cannot compute nll of ${path}: its process must be alike at all frequencies, it is ` +
        `${diffusion.process}, and ${NO_BOUND}`,
    );
  }
  const set = await loadImages({ ...data, dir: await dataPlace(path) }, "test", say);
  const images = firstImages(set, Math.min(count, set.count));
  checkPrecision(gpu, config.train.precision, "--precision f32");
  const network = networkOf(config), arena = createArena(gpu, "weights", network);
  await loadWeights(gpu, arena, checkpoint, weights === "ema" ? EMA_PREFIX : WEIGHTS_PREFIX);
  const stop = new AbortController();
  const unwatch = watchStopSignals(stop, () => console.error("Stopping"));
  say(`Measuring ${path} (${weights} weights, step ${step}) on ${images.count} of ${set.name}`);
  const measured = {
    ...{ network, weights: arena, process: makeProcess(diffusion), floor: diffusion.vlbFloor },
  };
  try {
    const { signal } = stop;
    const bits = await bitsPerDimension(gpu, measured, { images, batch, seed, signal });
    const { total, prior, terms } = bits;
    const { precision } = config.train, halved = precision !== "f32" && { precision };
    const report = {
      subject: { checkpoint: path, step, weights, seed, ...halved },
      reference: { name: set.name, count: images.count },
      metrics: { nll: { value: total, better: "lower", prior, terms: [...terms] } },
    };
    const out = options.out ??
      join(evaluationFolder(path), `${stepName(step)}-${weights}-nll.json`);
    await ensureFolder(join(out, ".."));
    await atomicWrite(out, `${JSON.stringify(report, null, 2)}\n`);
    say(
      `nll  ${total.toPrecision(5)} bits a value at most, ${
        prior.toPrecision(3)
      } of the last level`,
    );
    say(`Wrote ${out}`);
    return 0;
  } catch (error) {
    if (!stop.signal.aborted) throw error;
    say("Stopped");
    return 130;
  } finally {
    unwatch();
    arena.destroy(gpu);
  }
}
