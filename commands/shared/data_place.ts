/**
 * Where the images of a run are.
 *
 * @module
 */
import { basename, dirname } from "node:path";
import { loadConfig } from "../../config/load.ts";
import { runFolder } from "../../training/run_folder.ts";
import { exists } from "../../support/files.ts";

/** Where the images of a checkpoint's run lie, which its run folder alone knows; null without one. */
export async function dataPlace(path: string): Promise<string | null> {
  const file = runFolder(dirname(dirname(path))).config;
  if (basename(dirname(path)) !== "checkpoints" || !await exists(file)) return null;
  return (await loadConfig(file)).data.dir;
}
