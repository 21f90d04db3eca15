/**
 * Every import of the project, as Deno itself resolves it.
 *
 * @module
 */
import { join } from "node:path";
import { pathToFileURL } from "node:url";

/** One import, of whatever form. */
export interface Import {
  /** The file that imports, by its path in the repository with slashes. */
  readonly from: string;
  /** What it names, likewise; for what is not in the repository the whole specifier. */
  readonly to: string;
  /** As it is written. */
  readonly specifier: string;
  /** Erased before running. */
  readonly typeOnly: boolean;
}

/** The part of `deno info --json` that is used. */
interface Info {
  readonly modules: readonly {
    readonly specifier: string;
    readonly error?: string;
    readonly dependencies?: readonly {
      readonly specifier: string;
      readonly code?: Resolved;
      readonly type?: Resolved;
    }[];
  }[];
}

interface Resolved {
  readonly specifier?: string;
  readonly error?: string;
}

const SKIPPED = /^(\..*|tests|bench|examples|node_modules|runs|datasets)$/;

/** Every source file below `root` but those of tests and benchmarks, in the order of their names. */
export async function listSources(root: string, folder = ""): Promise<string[]> {
  const files: string[] = [];
  for await (const { name, isDirectory, isFile } of Deno.readDir(join(root, folder))) {
    const path = folder === "" ? name : `${folder}/${name}`;
    if (isDirectory && !SKIPPED.test(name)) files.push(...await listSources(root, path));
    else if (isFile && /\.[mc]?[tj]sx?$/.test(name)) files.push(path);
  }
  return files.sort();
}

/**
 * The imports of these files, and of what they import.
 *
 * @throws {Error} When Deno cannot read the files.
 */
export async function readImports(root: string, files: readonly string[]): Promise<Import[]> {
  // One module that imports them all: `deno info` takes one root.
  const roots = await Deno.makeTempFile({ prefix: "diffract-layers-", suffix: ".ts" });
  try {
    const urls = files.map((path) => pathToFileURL(join(root, path)).href);
    await Deno.writeTextFile(roots, urls.map((url) => `import ${JSON.stringify(url)};`).join("\n"));
    const { success, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
      args: ["info", "--json", "--config", join(root, "deno.json"), roots],
      env: { NO_COLOR: "1" },
    }).output();
    const text = (bytes: Uint8Array) => new TextDecoder().decode(bytes);
    if (!success) throw new Error(`Cannot read the imports: ${text(stderr).trim()}`);
    return importsOf(JSON.parse(text(stdout)), `${pathToFileURL(root).href.replace(/\/$/, "")}/`);
  } finally {
    await Deno.remove(roots);
  }
}

function importsOf({ modules }: Info, base: string): Import[] {
  const inside = (specifier: string) =>
    specifier.startsWith(base) ? specifier.slice(base.length) : specifier;
  const imports: Import[] = [];
  for (const { specifier: from, error, dependencies = [] } of modules) {
    if (!from.startsWith(base)) continue;
    if (error) throw new Error(`Cannot read the imports of ${inside(from)}: ${error}`);
    for (const { specifier, code, type } of dependencies) {
      for (const [typeOnly, resolved] of [[false, code], [true, type]] as const) {
        if (!resolved) continue;
        if (resolved.error) throw new Error(`Cannot read ${inside(from)}: ${resolved.error}`);
        const to = inside(resolved.specifier ?? specifier);
        imports.push({ from: inside(from), to, specifier, typeOnly });
      }
    }
  }
  return imports;
}
