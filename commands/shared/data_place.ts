/**
 * Where the images of a run are.
 *
 * @module
 */
import { basename, dirname } from "node:path";
import { loadConfig } from "../../config/load.ts";
import { exists } from "../../data/fetching/locate_files.ts";
import { runFolder } from "../../training/run_folder.ts";

/** Where the images of a checkpoint's run lie, which its run folder alone knows; null without one. */
export async function dataPlace(path: string): Promise<string | null> {
  const file = runFolder(dirname(dirname(path))).config;
  if (basename(dirname(path)) !== "checkpoints" || !await exists(file)) return null;
  return (await loadConfig(file)).data.dir;
}
