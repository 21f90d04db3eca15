/**
 * Writes files that the page fetches piece by piece, each with its checksum.
 *
 * @module
 */
import { createHash, type Hash } from "node:crypto";
import { join } from "node:path";
import { atomicWrite } from "../../support/files.ts";
import type { SiteFile } from "./site.ts";

/** Bytes of a piece: a few a second on a slow line, and little to fetch again. */
const PIECE = 1 << 20;

/** Writes chunks as a file of the folder `out`. */
export async function writeSiteFile(
  out: string,
  path: string,
  chunks: AsyncIterable<Uint8Array> | Iterable<Uint8Array>,
): Promise<SiteFile> {
  const pieces: string[] = [];
  let bytes = 0, filled = 0, hash: Hash = createHash("sha256");
  const end = () => {
    pieces.push(hash.digest("hex"));
    [filled, hash] = [0, createHash("sha256")];
  };
  const watched = async function* () {
    for await (const chunk of chunks) {
      for (let at = 0; at < chunk.length;) {
        const part = chunk.subarray(at, at + PIECE - filled);
        hash.update(part);
        at += part.length;
        filled += part.length;
        if (filled === PIECE) end();
      }
      bytes += chunk.length;
      yield chunk;
    }
  };
  await atomicWrite(join(out, path), watched());
  if (filled > 0 || pieces.length === 0) end();
  return { path, bytes, pieceBytes: PIECE, pieces };
}
