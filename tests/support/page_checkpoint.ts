/**
 * A checkpoint for tests of pages, without training.
 *
 * @module
 */
import { join } from "node:path";
import { formatConfig } from "../../config/load.ts";
import type { Config } from "../../config/schema.ts";
import { sizeOf } from "../../device/tensor.ts";
import { namedParameters } from "../../model/module.ts";
import { Checkpoint, stepName, writeCheckpoint } from "../../training/checkpoint.ts";
import { networkOf } from "../../training/run.ts";
import { runFolder } from "../../training/run_folder.ts";
import { EMA_PREFIX } from "../../training/state.ts";
import { randomValues } from "./gpu.ts";

/** The checkpoint of a run in `dir`, of random averaged weights that are not small. */
export async function randomCheckpoint(dir: string, config: Config): Promise<Checkpoint> {
  const { checkpoints } = runFolder(dir);
  await Deno.mkdir(checkpoints, { recursive: true });
  const path = join(checkpoints, `${stepName(3)}.safetensors`);
  const tensors = Array.from(namedParameters(networkOf(config)), ([name, { shape }], i) => ({
    name: EMA_PREFIX + name,
    shape,
    read: () => Promise.resolve(randomValues(sizeOf(shape), i + 1, 0.2)),
  }));
  const own = { ...config, run: { ...config.run, dir: null } };
  await writeCheckpoint(path, { step: 3, config: formatConfig(own as Config) }, tensors);
  return await Checkpoint.open(path);
}
