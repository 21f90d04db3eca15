/**
 * Temporary folders for tests.
 *
 * @module
 */

/** Runs `body` with an empty folder that is gone afterwards. */
export async function inFolder(body: (folder: string) => Promise<void>): Promise<void> {
  const folder = await Deno.makeTempDir({ prefix: "diffract-test-" });
  try {
    await body(folder);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}
