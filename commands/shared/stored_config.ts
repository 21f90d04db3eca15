/**
 * The config of a checkpoint, for whatever draws or judges by its weights.
 *
 * @module
 */
import { parseConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import type { Checkpoint } from "../../training/checkpoint.ts";
import { withLearned } from "../../training/learned_schedule.ts";

/**
 * The config that a checkpoint holds, with what its noise schedule has learned where that is learned.
 *
 * @param weights Which of its weights are used: averaged ones, or those of the last step.
 * @throws {UsageError} When the config breaks a rule.
 */
export async function storedConfig(
  checkpoint: Checkpoint,
  weights: "ema" | "raw",
): Promise<Config> {
  const config = parseConfig(checkpoint.config, { path: checkpoint.path });
  return await withLearned(config, { checkpoint, weights });
}
