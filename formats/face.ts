/**
 * The typeface of drawings and pages, Inter: the wrapper of the package that holds its files.
 *
 * @module
 */
// Named here so that the package is fetched with the program; its files are read below.
import face from "@fontsource/inter/package.json" with { type: "json" };
import { fileURLToPath } from "node:url";

/** The family's name. */
export const FACE = "Inter";

/**
 * A file of the face, WOFF2.
 *
 * @param name Such as "inter-latin-400-normal".
 */
export function readFace(name: string): Promise<Uint8Array<ArrayBuffer>> {
  return Deno.readFile(
    fileURLToPath(import.meta.resolve(`${face.name}/files/${name}.woff2`)),
  );
}
