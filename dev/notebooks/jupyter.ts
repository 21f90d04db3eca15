/**
 * Running a notebook where Jupyter is installed.
 *
 * @module
 */
import { dirname, join } from "node:path";
import { ensureFolder } from "../../support/files.ts";

/** Whether `jupyter nbconvert` can be run here. */
export async function hasJupyter(): Promise<boolean> {
  try {
    const { success } = await new Deno.Command("jupyter", {
      args: ["nbconvert", "--version"],
      ...{ stdout: "null", stderr: "null" },
    }).output();
    return success;
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return false;
    throw error;
  }
}

/**
 * Runs a notebook's cells in its folder, with this Deno as its kernel, and writes what they give into
 * the file.
 *
 * @throws {Error} When a cell fails; the message has what it printed.
 */
export async function runNotebook(path: string): Promise<void> {
  const data = await Deno.makeTempDir({ prefix: "diffract-jupyter-" });
  try {
    const argv = [Deno.execPath(), "jupyter", "--kernel", "--conn", "{connection_file}"];
    const spec = join(data, "kernels", "deno", "kernel.json");
    await ensureFolder(dirname(spec));
    const about = { argv, display_name: "Deno", language: "typescript" };
    await Deno.writeTextFile(spec, JSON.stringify(about));
    const { success, stderr } = await new Deno.Command("jupyter", {
      args: [
        ...["nbconvert", "--to", "notebook", "--execute", "--inplace", path],
        "--ExecutePreprocessor.timeout=-1",
      ],
      env: { JUPYTER_PATH: data, NO_COLOR: "1" },
      stdout: "null",
      stderr: "piped",
    }).output();
    if (success) return;
    throw new Error(`Cannot run ${path}: ${new TextDecoder().decode(stderr).trim()}`);
  } finally {
    await Deno.remove(data, { recursive: true });
  }
}
