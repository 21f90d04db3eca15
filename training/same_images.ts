/**
 * Whether a run that goes on sees the images that it saw before: only then does it end with the weights
 * of a run that never stopped.
 *
 * @module
 */
import type { ImageSet } from "../data/dataset.ts";
import { type DataOptions, isOpen, setKind } from "../data/options.ts";
import type { Network } from "../model/network.ts";
import { UsageError } from "../support/errors.ts";
import type { Checkpoint } from "./checkpoint.ts";

/** The note of a checkpoint with the checksum of the training images. */
export const IMAGES_NOTE = "images";

/** The note of a checkpoint with what the classes are called that its network knows, as JSON. */
const CLASSES_NOTE = "classes";

/** What a checkpoint notes of its training images, and of their classes where the network knows any. */
export function imageNotes(
  { checksum, classNames }: Pick<ImageSet, "checksum" | "classNames">,
  { conditioning }: Pick<Network, "conditioning">,
): Record<string, string> {
  const { labels: classes = 0 } = conditioning ?? {};
  return {
    [IMAGES_NOTE]: checksum,
    ...classes > 0 && classNames && { [CLASSES_NOTE]: JSON.stringify(classNames) },
  };
}

/** What the classes of a checkpoint are called; undefined where it does not tell. */
export function notedClasses({ notes }: Pick<Checkpoint, "notes">): string[] | undefined {
  try {
    const names: unknown = JSON.parse(notes[CLASSES_NOTE] ?? "null");
    const told = Array.isArray(names) && names.every((name) => typeof name === "string");
    return told ? names : undefined;
  } catch {
    return undefined;
  }
}

/**
 * Holds a checkpoint's images against those at hand. Checkpoints from before there was the note pass
 * where the order of their set has stayed as it was.
 *
 * @throws {UsageError} When they are others.
 */
export function checkImages(
  { path, notes: { [IMAGES_NOTE]: before } }: Pick<Checkpoint, "path" | "notes">,
  { name, checksum }: Pick<ImageSet, "name" | "checksum">,
  data: DataOptions,
  say: (line: string) => void,
): void {
  if (before === checksum) return;
  if (before !== undefined) {
    throw new UsageError(
      `Cannot resume from ${path}: the images must be those that the run saw, got others ` +
        `(${name}: checksum ${checksum.slice(0, 12)}, the run's is ${before.slice(0, 12)}); put ` +
        "the files back as they were, or start a new run with another --run.dir",
    );
  }
  if (namesOf(data).some((name) => setKind(name).shuffled)) {
    throw new UsageError(
      `Cannot resume from ${path}: it is older than the order in which images of ${data.name} are ` +
        "taken now, and would go on with others; start a new run with another --run.dir",
    );
  }
  if (isOpen(data.name)) {
    say(
      `note: ${path} does not say which images it saw; it goes on with those of ${name}, ` +
        `checksum ${checksum.slice(0, 12)}`,
    );
  }
}

function namesOf({ name, mix }: DataOptions) {
  return name === "mix" ? [mix.first, mix.second] : [name];
}
