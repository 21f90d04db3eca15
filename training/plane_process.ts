/**
 * The diffusion process of a run on the plane that its network works on. Knows nothing of data sets, so that
 * it can be had in a web page.
 *
 * @module
 */
import type { Plane } from "../diffusion/bands.ts";
import { unitRings } from "../diffusion/frequency.ts";
import { makeProcess, type Process } from "../diffusion/process.ts";
import { wantsSpectrum } from "../diffusion/processes/registry.ts";
import { type DiffusedSize, diffusedSize } from "../model/latent_options.ts";
import type { RunConfig } from "./run_config.ts";

type Described = Pick<RunConfig, "diffusion">;

/** A spectrum of images, about their mean. */
interface Spectrum {
  readonly spectrum: readonly number[];
  readonly mean: readonly number[];
}

/** The plane on which a run of such images diffuses: theirs, or that of their latents. */
export function planeOf(
  { model }: Pick<RunConfig, "model">,
  { height, width, channels }: DiffusedSize,
): DiffusedSize {
  return diffusedSize({ height, width, channels }, model.latent);
}

/**
 * The process of a config.
 *
 * @throws {RangeError} As makeProcess: where its spectrum was not measured, for one.
 */
export function processOn({ diffusion }: Described, plane: Plane): Process {
  return makeProcess(diffusion, plane);
}

/** The process that a config is planned or timed with: of a flat spectrum where none was measured. */
export function plannedProcessOn(config: Described, plane: Plane): Process {
  const { height, width } = plane;
  const flat = wantsSpectrum(config.diffusion)
    ? new Array<number>(unitRings(height, width).count).fill(1)
    : [];
  return processOn(withSpectrum(config, { spectrum: flat, mean: [0] }), plane);
}

/** The config with a spectrum, where its process goes by one that is not given. */
export function withSpectrum<C extends Described>(config: C, { spectrum, mean }: Spectrum): C {
  const { diffusion } = config;
  if (!wantsSpectrum(diffusion)) return config;
  const own = { spectrum: [...spectrum], mean: diffusion.processOptions.mean ?? [...mean] };
  return {
    ...config,
    diffusion: { ...diffusion, processOptions: { ...diffusion.processOptions, ...own } },
  };
}
