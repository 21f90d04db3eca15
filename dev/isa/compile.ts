/**
 * Compiles the kernels of a training step for a graphics card that is not there, with Mesa's RADV on null
 * hardware: builds the layer null_device.c and runs child.ts under it.
 *
 * @module
 */
import { fileURLToPath } from "node:url";
import { type ChipName, CHIPS } from "./chips.ts";
import type { CompiledKernel, Request } from "./child.ts";

/** What is compiled, and for what. */
export interface CompileOptions extends Omit<Request, "folder"> {
  readonly chip: ChipName;
  /** Lanes of a wave; RADV's choice, 64, unless given. */
  readonly wave?: 32 | 64 | undefined;
  /** Folder where the packages of another Mesa are unpacked; the system's unless given. */
  readonly mesa?: string | undefined;
}

/** Thrown where something must be installed first; the message says what and how. */
export class MissingToolError extends Error {}

const INSTALL = "apt-get install gcc libvulkan-dev mesa-vulkan-drivers";
const LAYER = "VK_LAYER_DIFFRACT_null_device";
const local = (name: string) => fileURLToPath(new URL(name, import.meta.url));

/**
 * Compiles.
 *
 * @throws {MissingToolError} When the C compiler, Vulkan's headers or the driver are missing.
 */
export async function compileStep(options: CompileOptions): Promise<CompiledKernel[]> {
  const { chip, wave, mesa = "", ...asked } = options;
  const driver = findDriver(mesa);
  const folder = await Deno.makeTempDir({ prefix: "diffract-isa-" });
  try {
    await buildLayer(folder);
    const env: Record<string, string> = {
      DENO_WEBGPU_BACKEND: "vulkan",
      XDG_RUNTIME_DIR: folder,
      VK_ICD_FILENAMES: driver,
      VK_LAYER_PATH: folder,
      VK_INSTANCE_LAYERS: LAYER,
      ISA_DIR: folder,
      MESA_SHADER_CACHE_DISABLE: "true",
      RADV_PERFTEST: wave === 32 ? "cswave32" : "",
    };
    if (mesa) env.LD_LIBRARY_PATH = `${mesa}/usr/lib/x86_64-linux-gnu`;
    const [old, current] = CHIPS[chip].families;
    const said: string[] = [];
    // A family that this Mesa does not know leaves no adapter.
    for (const family of new Set([current, old])) {
      const request: Request = { ...asked, folder };
      const { code, stdout, stderr } = await new Deno.Command(Deno.execPath(), {
        args: ["run", "-A", "--no-check", local("child.ts"), JSON.stringify(request)],
        env: { ...env, RADV_FORCE_FAMILY: family },
      }).output();
      const text = new TextDecoder().decode(stdout).trim();
      if (code === 0) return text ? text.split("\n").map((line) => JSON.parse(line)) : [];
      said.push(new TextDecoder().decode(stderr).trim());
    }
    throw new Error(`Cannot compile for ${chip}: ${said.join("; ")}`);
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/**
 * Why nothing can be compiled on this machine, in the words of {@linkcode MissingToolError}; null where
 * all that it takes is there.
 */
export async function missingTool(mesa = ""): Promise<string | null> {
  const folder = await Deno.makeTempDir({ prefix: "diffract-isa-" });
  try {
    findDriver(mesa);
    await buildLayer(folder);
    return null;
  } catch (error) {
    if (error instanceof MissingToolError) return error.message;
    throw error;
  } finally {
    await Deno.remove(folder, { recursive: true });
  }
}

/** The driver's manifest, whose name differs between Debian's packages. */
function findDriver(root: string): string {
  const folder = `${root}/usr/share/vulkan/icd.d`;
  try {
    for (const { name } of Deno.readDirSync(folder)) {
      if (/^radeon_icd.*\.json$/.test(name) && !/i[36]86/.test(name)) return `${folder}/${name}`;
    }
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  }
  throw new MissingToolError(
    `Cannot compile: ${folder} must have RADV's radeon_icd.json; ${INSTALL}`,
  );
}

async function buildLayer(folder: string): Promise<void> {
  const library = "libnull_device.so";
  let said: string;
  try {
    const { success, stderr } = await new Deno.Command("gcc", {
      args: [
        ...["-O1", "-shared", "-fPIC", "-fvisibility=hidden"],
        ...["-o", `${folder}/${library}`, local("null_device.c")],
      ],
    }).output();
    if (success) said = "";
    else {said = new TextDecoder().decode(stderr).split("\n").find((line) => /error/.test(line)) ??
        "";}
  } catch (error) {
    if (!(error instanceof Deno.errors.NotFound)) throw error;
    said = "no gcc";
  }
  if (said) {
    throw new MissingToolError(
      `Cannot compile: gcc must build the Vulkan layer, got ${said}; ${INSTALL}`,
    );
  }
  const manifest = {
    file_format_version: "1.1.2",
    layer: {
      name: LAYER,
      type: "GLOBAL",
      library_path: `${folder}/${library}`,
      api_version: "1.3.239",
      implementation_version: "1",
      description: "RADV's null hardware as a device that compiles",
    },
  };
  await Deno.writeTextFile(`${folder}/null_device.json`, JSON.stringify(manifest));
}
