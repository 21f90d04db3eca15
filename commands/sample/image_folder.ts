/**
 * A folder that images are drawn into one by one. A file is whole or absent, so a drawing that was cut
 * short goes on with what is missing; `manifest.json` says what the images are, and refuses others.
 *
 * @module
 */
import { join } from "node:path";
import { encodePng } from "../../formats/png.ts";
import { UsageError } from "../../support/errors.ts";
import { atomicWrite, ensureFolder, listNamedFolder, readNamedFile } from "../../support/files.ts";
import { checkResultFolder } from "../shared/path_checks.ts";
import { type ImageSize, pictured } from "../../training/pictures.ts";

const FORMAT = "diffract images 1";
const MANIFEST = "manifest.json";

/** What a manifest says: everything that decides which images a folder holds. */
export type ImageFacts = Readonly<Record<string, unknown>>;

/** Facts that are kept for a person and may differ. */
export type ImageNotes = Readonly<Record<string, string>>;

/** A folder of images. */
export class ImageFolder {
  private constructor(
    readonly path: string,
    /** Names of the images that are there, without `.png`. */
    readonly present: ReadonlySet<string>,
  ) {}

  /**
   * Opens a folder to draw these images into; makes it where there is none.
   *
   * @param say Told when a note differs.
   * @throws {UsageError} When it holds other images, or ones that nobody knows.
   */
  static async open(
    path: string,
    facts: ImageFacts,
    notes: ImageNotes,
    say: (line: string) => void,
  ): Promise<ImageFolder> {
    const names = await namesIn(path);
    const manifest = names.includes(MANIFEST) ? await readManifest(path) : null;
    if (manifest) compare(path, manifest, { facts, notes }, say);
    else if (names.some((name) => name.endsWith(".png"))) {
      throw new UsageError(
        `Cannot write images to ${path}: it must be empty or have the manifest.json of earlier ` +
          "images, it has PNGs without one",
      );
    } else {
      await checkResultFolder(path);
      await ensureFolder(path);
      const text = JSON.stringify({ format: FORMAT, ...facts, notes }, null, 2);
      await atomicWrite(join(path, MANIFEST), `${text}\n`);
    }
    // What a killed process was writing.
    for (const name of names) if (/^\..*\.tmp$/.test(name)) await Deno.remove(join(path, name));
    const images = names.filter((name) => /^[^.].*\.png$/.test(name));
    return new ImageFolder(path, new Set(images.map((name) => name.slice(0, -4))));
  }

  /**
   * Looks, before anything is drawn, whether images that it lacks can be written.
   *
   * @throws {UsageError} One line, when the path is a mistake.
   * @throws {Error} One line, when a right is missing.
   */
  async checkLacking(names: readonly string[]): Promise<void> {
    if (names.some((name) => !this.present.has(name))) await checkResultFolder(this.path);
  }

  /** Writes one image, whole or not at all. */
  async write(name: string, data: Uint8Array, size: ImageSize): Promise<void> {
    const { images, size: { height, width, channels } } = pictured(data, 1, size);
    const png = encodePng({ height, width, channels, data: images });
    await atomicWrite(join(this.path, `${name}.png`), png);
  }
}

/** Names in a folder; none where there is no folder. */
async function namesIn(path: string): Promise<string[]> {
  try {
    return (await listNamedFolder("write images to", path)).map(({ name }) => name);
  } catch (error) {
    if ((error as Error).cause instanceof Deno.errors.NotFound) return [];
    throw error;
  }
}

async function readManifest(path: string): Promise<Readonly<Record<string, unknown>>> {
  const file = join(path, MANIFEST);
  const bytes = await readNamedFile("the manifest", file);
  let manifest: unknown;
  try {
    manifest = JSON.parse(new TextDecoder().decode(bytes));
  } catch (cause) {
    const why = (cause as Error).message;
    throw new UsageError(`Cannot read the manifest ${file}: ${why}`, { cause });
  }
  const format = (manifest as { format?: unknown } | null)?.format;
  if (format === FORMAT) return manifest as Readonly<Record<string, unknown>>;
  throw new UsageError(
    `Cannot write images to ${path}: the format of its manifest.json must be ${
      JSON.stringify(FORMAT)
    }, got ${JSON.stringify(format)}`,
  );
}

/** Refuses facts that differ from the folder's. */
function compare(
  path: string,
  manifest: Readonly<Record<string, unknown>>,
  { facts, notes }: { readonly facts: ImageFacts; readonly notes: ImageNotes },
  say: (line: string) => void,
): void {
  const { format: _, notes: oldNotes, ...old } = manifest;
  for (const key of new Set([...Object.keys(old), ...Object.keys(facts)])) {
    const [before, now] = [old[key], facts[key]].map((value) => JSON.stringify(value) ?? "none");
    if (before === now) continue;
    throw new UsageError(
      `Cannot go on in ${path}: ${key} must be ${before} as in its manifest.json, got ${now}; ` +
        "give the same options, or another folder",
    );
  }
  const known = (oldNotes ?? {}) as Readonly<Record<string, unknown>>;
  for (const [key, now] of Object.entries(notes)) {
    if (known[key] !== now) {
      say(`The ${key} is now ${now}, it was ${known[key]}: last bits may differ`);
    }
  }
}
