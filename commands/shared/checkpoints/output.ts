/**
 * Where a conversion may write. Its result replaces an earlier one as any command's does, but never
 * what was read, and never what took a run hours to make.
 *
 * @module
 */
import { dirname, join, parse } from "node:path";
import { UsageError } from "../../../support/errors.ts";
import { listCheckpoints } from "../../../training/checkpoint.ts";
import {
  holdsRun,
  placesOf,
  realPlace,
  runAround,
  runFolder,
} from "../../../training/run_folder.ts";

const WEIGHTS_FILE = ".safetensors";

/** Endings of files, whichever way they are written; a dot alone makes none, as in lr-0.01. */
const FILE_ENDING =
  /^\.(bin|ckpt|csv|gif|h5|jpe?g|jsonl?|np[yz]|onnx|pickle|pkl|png|pth?|safetensors|tar|txt|zip)$/i;

/** Whether OUT names a file that a conversion can write. */
export function isWeightsFile(out: string): boolean {
  return out.endsWith(WEIGHTS_FILE);
}

/**
 * Refuses an OUT that is no file of ours.
 *
 * @throws {UsageError}
 */
export function requireFile(out: string, to: string): void {
  if (isWeightsFile(out)) return;
  throw new UsageError(`Cannot write ${to} to ${out}: OUT must be a ${WEIGHTS_FILE} file`);
}

/**
 * Refuses an OUT that is called as files are, where a folder is to be made.
 *
 * @param what What the folder would be.
 * @throws {UsageError} It says how such a file is written.
 */
export function requireFolder(out: string, what: "run" | "pipeline" | "model"): void {
  const { dir, name, ext: ending } = parse(out);
  if (!FILE_ENDING.test(ending)) return;
  const file = join(dir, `${name}${WEIGHTS_FILE}`);
  throw new UsageError(
    `Cannot make ${out} the folder of a ${what}: OUT must not end in ${ending}, as files do; to ` +
      `write a file, use ${file}: with --to pytorch for PyTorch's names, with --to tensors for ` +
      "the tensors as they are called, or with --to diffract for a checkpoint of ours",
  );
}

/**
 * Refuses an OUT that is called as files are, and the folder of a run.
 *
 * @param what What the folder would be.
 * @throws {UsageError}
 */
export async function requireNoRun(out: string, what: "pipeline" | "model"): Promise<void> {
  requireFolder(out, what);
  if (!await holdsRun(out)) return;
  throw new UsageError(
    `Cannot write a ${what} to ${out}: the folder must hold no run, it does; choose another`,
  );
}

/**
 * Refuses an OUT whose writing would destroy what cannot be made again.
 *
 * @param out The file or folder to be written.
 * @param read The paths that are read: as they were given, and the files that those led to.
 * @throws {UsageError} When OUT is read as well, by whatever path; when it lies where a run keeps its
 *   checkpoints; or when it is a checkpoint of a run's, kept elsewhere.
 */
export async function checkPlace(out: string, read: readonly string[]): Promise<void> {
  const places = await placesOf(out);
  for (const path of read) {
    if (!places.has(await realPlace(path))) continue;
    throw new UsageError(
      `Cannot convert a file to itself: OUT must be another path, ${out} is what is read`,
    );
  }
  for (const place of places) {
    const run = await runAround(place);
    if (run !== null) {
      throw new UsageError(
        `Cannot convert to ${out}: OUT must not lie in ${
          runFolder(run).checkpoints
        }, where a run ` +
          "keeps its checkpoints; choose another folder",
      );
    }
    if ((await listCheckpoints(dirname(place))).some(({ path }) => path === place)) {
      throw new UsageError(
        `Cannot convert to ${out}: OUT must not be a checkpoint that a run has written; choose ` +
          "another name, or remove that file first",
      );
    }
  }
}
