/**
 * Bundles modules for web pages: the wrapper of esbuild, which only who bundles loads.
 *
 * @module
 */
import { dirname, resolve } from "node:path";

/** One ES module for a page. */
export interface Bundle {
  /** Its text, UTF-8. */
  readonly code: Uint8Array<ArrayBuffer>;
  /** Files that it is made of. */
  readonly files: number;
}

/** Oldest browsers with all that the code is written in, WebGPU first. */
const TARGET = ["es2024", "chrome125", "firefox141", "safari26"];

/** Namespace of what pages do not have. */
const ABSENT = "absent";

/**
 * Bundles a module of ours with all that it reaches, minified. What no page can have (parts of node,
 * packages) may be imported by what it reaches, but not be used.
 *
 * @param entry Path of the module.
 * @throws {Error} When what is used needs files, node or a package; the message names the importer.
 */
export async function bundleForPage(entry: string): Promise<Bundle> {
  const { build, stop } = await import("esbuild");
  /** Who imports what a page does not have. */
  const importers = new Map<string, string>();
  try {
    const { outputFiles, metafile } = await build({
      ...{ entryPoints: [entry], bundle: true, write: false, metafile: true, outdir: "page" },
      ...{ format: "esm", platform: "browser", target: TARGET, charset: "utf8" },
      ...{ minify: true, legalComments: "none", logLevel: "silent" },
      plugins: [{
        name: "rooms",
        setup(build) {
          build.onResolve({ filter: /.*/ }, ({ path, importer, resolveDir, kind }) => {
            // No module of ours does anything when it is loaded, so that what is unused can go.
            if (kind === "entry-point") return { path: resolve(path) };
            if (path.startsWith(".")) {
              return { path: resolve(resolveDir, path), sideEffects: false };
            }
            importers.set(path, importer);
            return { path, namespace: ABSENT, sideEffects: false };
          });
          build.onLoad({ filter: /.*/, namespace: ABSENT }, () => ({
            contents: "module.exports = {};",
          }));
        },
      }],
    });
    const inputs = Object.entries(Object.values(metafile.outputs)[0]!.inputs);
    const used = inputs.filter(([, { bytesInOutput }]) => bytesInOutput > 0);
    for (const [name] of used) {
      if (!name.startsWith(`${ABSENT}:`)) continue;
      const wanted = name.slice(ABSENT.length + 1);
      throw new Error(
        `Cannot bundle ${entry}: what it uses must run in a web page, ${
          importers.get(wanted)?.replace(`${dirname(resolve(entry))}/`, "")
        } needs ${wanted}`,
      );
    }
    return { code: outputFiles[0]!.contents as Uint8Array<ArrayBuffer>, files: used.length };
  } finally {
    await stop();
  }
}
