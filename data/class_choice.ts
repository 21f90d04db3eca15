/**
 * Classes of a set as a person names them, and the images of some of them.
 *
 * @module
 */
import { UsageError } from "../support/errors.ts";
import type { Labels, RawImages } from "./dataset.ts";

/**
 * The words of a list with commas, of which a class's own name may have some ("normal, benign").
 *
 * @param names What classes are called.
 */
export function classWords(list: string, names: readonly string[] = []): string[] {
  const words = list.split(",");
  const parts: string[] = [];
  for (let at = 0; at < words.length;) {
    const lengths = Array.from({ length: words.length - at }, (_, i) => words.length - at - i);
    const join = (length: number) => words.slice(at, at + length).join(",").trim();
    const length = lengths.find((length) =>
      names.some((name) =>
        name.toLowerCase() === join(length).toLowerCase()
      )
    ) ?? 1;
    parts.push(join(length));
    at += length;
  }
  return parts;
}

/**
 * The number of a class, by its name in any case or by its number.
 *
 * @param count Classes that there are.
 * @param names What they are called, where that is known.
 * @throws {RangeError} "must be ...", of a class that there is none of.
 */
export function classNumber(word: string, count: number, names?: readonly string[]): number {
  const named = names?.findIndex((name) => name.toLowerCase() === word.toLowerCase()) ?? -1;
  if (named >= 0 && named < count) return named;
  if (/^\d+$/.test(word) && Number(word) < count) return Number(word);
  const known = names
    ? `, or one of ${names.slice(0, 12).join(", ")}${names.length > 12 ? ", ..." : ""}`
    : "; the checkpoint does not tell their names";
  throw new RangeError(`must be a number from 0 to ${count - 1}${known}`);
}

/**
 * The images of some classes, in their order; each keeps its number, so that a network that knows all of
 * them knows these.
 *
 * @param name Of the set, for errors.
 * @param classes Names or numbers, as a list or as text with commas.
 * @throws {UsageError} When the set has no classes, not these, or no images of them.
 */
export function imagesOfClasses(
  raw: RawImages,
  name: string,
  classes: string | readonly string[],
): RawImages {
  const { labels, latents, count } = raw;
  const indices = indicesOfClasses(raw, name, classes);
  if (latents) throw new TypeError("Cannot keep classes of latents: images must come first");
  const pick = <A extends Uint8Array | Uint16Array | Float32Array>(values: A): A => {
    const length = values.length / count;
    const picked = values.slice(0, indices.length * length);
    for (const [to, from] of indices.entries()) {
      picked.set(values.subarray(from * length, (from + 1) * length), to * length);
    }
    return picked as A;
  };
  const { values, mirrorable } = raw;
  return {
    ...raw,
    count: indices.length,
    images: pick(raw.images),
    labels: labels && pick(labels),
    ...values && { values: pick(values) },
    ...mirrorable && { mirrorable: pick(mirrorable) },
  };
}

/** Which images are of some classes; the rest as {@linkcode imagesOfClasses}. */
export function indicesOfClasses(
  { labels, classNames }: {
    readonly labels: Labels | null;
    readonly classNames?: readonly string[];
  },
  name: string,
  classes: string | readonly string[],
): number[] {
  if (!labels || !classNames) {
    throw new UsageError(
      `Cannot keep classes of ${name}: the set must have classes, it has none; leave data.classes out`,
    );
  }
  const words = typeof classes === "string" ? classWords(classes, classNames) : classes;
  const wanted = new Set(words.map((word) => {
    try {
      return classNumber(word, classNames.length, classNames);
    } catch (cause) {
      throw new UsageError(
        `Cannot keep the class ${JSON.stringify(word)} of ${name}: it ${(cause as Error).message}`,
        { cause },
      );
    }
  }));
  const indices = Array.from(labels, (_, i) => i).filter((i) => wanted.has(labels[i]!));
  if (indices.length === 0) {
    throw new UsageError(
      `Cannot keep ${words.join(", ")} of ${name}: there must be images of them, there are none`,
    );
  }
  return indices;
}
