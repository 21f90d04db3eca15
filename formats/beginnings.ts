/**
 * What files are that stand under the name of another kind, by how they begin.
 *
 * @module
 */

// Files of other kinds begin with bytes that are no text.
// deno-lint-ignore-file no-control-regex

const BEGINNINGS: readonly (readonly [pattern: RegExp, what: string])[] = [
  [/^RIFF.{4}WEBP/s, "a WebP picture"],
  [/^.{4}ftyp(heic|heix|hevc|mif1|msf1)/s, "a HEIC picture"],
  [/^.{4}ftypavi[fs]/s, "an AVIF picture"],
  [/^GIF8/, "a GIF picture"],
  [/^(II\*\0|MM\0\*)/, "a TIFF picture"],
  [/^BM/, "a BMP picture"],
  [/^\x89PNG/, "a PNG picture"],
  [/^\xff\xd8\xff/, "a JPEG picture"],
  [/^PK\x03\x04/, "a zip archive"],
  [/^\x1f\x8b/, "a gzip archive"],
  [/^\x89HDF/, "an HDF5 file, as of Keras"],
  [/^GGUF/, "a GGUF file, as of llama.cpp"],
  [/^\x80[\x02-\x05]/, "a pickle of Python's"],
  [/^\s*<(!doctype|html)/i, "a web page, as a failed download leaves it"],
  [/^version https:\/\/git-lfs/, "a pointer of Git LFS, `git lfs pull` fetches the file"],
  [/^\0+$/, "zeros alone"],
];

/** What a file is that begins so, for a person; null for what is not known. */
export function knownBeginning(bytes: Uint8Array): string | null {
  if (bytes.length === 0) return "an empty file";
  const text = String.fromCharCode(...bytes.subarray(0, 64));
  return BEGINNINGS.find(([pattern]) => pattern.test(text))?.[1] ?? null;
}

/** As {@linkcode knownBeginning}; the first bytes of what is not known. */
export function namedBeginning(bytes: Uint8Array): string {
  return knownBeginning(bytes) ??
    Array.from(bytes.subarray(0, 4), (byte) => byte.toString(16).padStart(2, "0")).join(" ");
}
