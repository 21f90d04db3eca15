/**
 * Everything that a run may choose, room by room, as training gets it: checked and complete.
 *
 * @module
 */
import type { DataOptions } from "../data/options.ts";
import type { DiffusionOptions } from "../diffusion/options.ts";
import type { LatentOptions } from "../model/latent_options.ts";
import type { LoraOptions } from "../model/lora_options.ts";
import type { ModelOptions } from "../model/networks/registry.ts";
import type { OptimOptions } from "../optim/options.ts";
import type { RunOptions, TrainingOptions } from "./options.ts";

/** The options of a run. */
export interface RunConfig {
  readonly run: RunOptions;
  readonly data: DataOptions;
  readonly model: ModelOptions & { readonly latent: LatentOptions; readonly lora: LoraOptions };
  readonly diffusion: DiffusionOptions;
  readonly optim: OptimOptions;
  readonly train: TrainingOptions;
}
