/**
 * WebP pictures of tests/golden/pictures.
 *
 * @module
 */

/** 19x13 pixels with losses or without, and two frames of them. */
export function webpFile(name: "lossy" | "lossless" | "animated"): Uint8Array<ArrayBuffer> {
  return Deno.readFileSync(new URL(`../golden/pictures/${name}.webp`, import.meta.url));
}
