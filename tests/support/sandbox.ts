/**
 * Scripts as black boxes, offline: a folder of their own and a PATH of a few chosen tools.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";

/** The repository's root. */
export const repository = fileURLToPath(new URL("../..", import.meta.url));

/** Whether scripts of a shell run here. */
export const unix = Deno.build.os !== "windows";

/** What a script may use besides the shell itself; apt-get, npm, deno and curl are left out. */
const tools = [
  ..."sh env dirname uname cat mkdir rm mv cp ls ln sed tail head mktemp cut tar gzip chmod".split(
    " ",
  ),
  ..."grep find id sleep awk sha512sum shasum openssl tee".split(" "),
];

/** Folders of one test. */
export interface Sandbox {
  /** The whole sandbox. */
  folder: string;
  /** The folder on PATH; programs written here are found. */
  bin: string;
  cache: string;
}

/** Where a tool lies on this machine. */
export function findOnPath(tool: string): string | undefined {
  return (Deno.env.get("PATH") ?? "").split(":").concat("/usr/bin", "/bin", "/usr/sbin")
    .map((folder) => join(folder, tool)).find((path) => existsSync(path));
}

/** Writes a script that can be run. */
export function program(path: string, text: string): void {
  Deno.writeTextFileSync(path, text);
  Deno.chmodSync(path, 0o755);
}

/** Runs `body` with a fresh sandbox, removed afterwards. */
export async function withSandbox(body: (sandbox: Sandbox) => Promise<void>): Promise<void> {
  const folder = Deno.makeTempDirSync({ prefix: "denow test " });
  try {
    const bin = join(folder, "bin");
    Deno.mkdirSync(bin);
    for (const tool of tools) {
      const path = findOnPath(tool);
      if (path !== undefined) Deno.symlinkSync(path, join(bin, tool));
    }
    await body({ folder, bin, cache: join(folder, "cache") });
  } finally {
    Deno.removeSync(folder, { recursive: true });
  }
}
