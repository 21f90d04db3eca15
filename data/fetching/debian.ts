/**
 * Fetches a Debian package's files without root and without installing it.
 *
 * @module
 */
import { join } from "node:path";

/** Runs a program to its end; gives its exit code and what it wrote. */
export type RunCommand = (
  command: string,
  args: readonly string[],
  cwd: string,
) => Promise<{ code: number; output: string }>;

/** Time after which apt counts as stuck, in milliseconds. */
const TIMEOUT = 180_000;

/** Runs a program on this machine without input; one that is not there has code 127. */
export const runCommand: RunCommand = async (command, args, cwd) => {
  try {
    const { code, stdout, stderr } = await new Deno.Command(command, {
      args: [...args],
      cwd,
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      env: { DEBIAN_FRONTEND: "noninteractive", LC_ALL: "C" },
      signal: AbortSignal.timeout(TIMEOUT),
    }).output();
    const text = new TextDecoder();
    return { code, output: text.decode(stdout) + text.decode(stderr) };
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return { code: 127, output: `no ${command} here` };
    throw error;
  }
};

/**
 * Downloads a package with apt (which checks its signature) and unpacks it under `folder`. apt's
 * own lists are used where they know the package; else fresh ones are kept under `folder`.
 *
 * @param folder An existing folder of the caller's own.
 * @returns The folder that stands for the package's `/`.
 * @throws Error with the reason when apt cannot bring the package.
 */
export async function debianPackage(
  name: string,
  folder: string,
  run: RunCommand = runCommand,
): Promise<string> {
  const root = join(folder, "root");
  for (const part of ["lists/partial", "cache/archives/partial", "deb"]) {
    await Deno.mkdir(join(folder, part), { recursive: true });
  }
  const deb = join(folder, "deb");
  // As root apt would hand the download to a user who may not write here.
  const plain = ["-q", "-o", "APT::Sandbox::User=root"];
  const own = [
    ...plain,
    "-o",
    `Dir::State::Lists=${join(folder, "lists")}`,
    "-o",
    `Dir::Cache=${join(folder, "cache")}`,
  ];
  const first = await run("apt-get", [...plain, "download", name], deb);
  if (first.code === 127) throw new Error(first.output);
  if (first.code !== 0) {
    for (const args of [[...own, "update"], [...own, "download", name]]) {
      const { code, output } = await run("apt-get", args, deb);
      if (code !== 0) throw new Error(`apt-get ${args.at(-1)} failed: ${lastLine(output)}`);
    }
  }
  for await (const entry of Deno.readDir(deb)) {
    if (!entry.name.endsWith(".deb")) continue;
    const { code, output } = await run("dpkg", ["-x", join(deb, entry.name), root], deb);
    if (code !== 0) throw new Error(`dpkg -x failed: ${lastLine(output)}`);
    return root;
  }
  throw new Error(`apt-get download ${name} brought no package`);
}

function lastLine(output: string): string {
  const lines = output.trim().split("\n");
  return lines.findLast((line) => line.startsWith("E:")) ?? lines.at(-1) ?? "";
}
