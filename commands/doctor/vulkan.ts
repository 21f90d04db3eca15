/**
 * What there is of Vulkan on Linux before anything is loaded: the variables that steer it and the
 * manifests that name drivers. The rules are those of the Vulkan loader's documentation, "Driver
 * discovery on Linux".
 *
 * @module
 */
import { basename, dirname, isAbsolute, join } from "node:path";
import type { Finding } from "./finding.ts";

/** Looks an environment variable up. */
export type Env = (name: string) => string | undefined;

/** What a person can do to get Vulkan. */
export const INSTALL_VULKAN = "run ./denow task doctor, which installs Mesa's driver, or install " +
  "mesa-vulkan-drivers and libvulkan1 (dnf: vulkan-loader, pacman: vulkan-swrast vulkan-icd-loader)";

const BACKENDS = ["vulkan", "gl", "dx12", "metal"];

/** Variables that replace the search for drivers, the newest name first. */
const REPLACING = ["VK_DRIVER_FILES", "VK_ICD_FILENAMES"] as const;

const SYSTEM_FOLDERS = ["/etc", "/usr/local/etc", "/usr/local/share", "/usr/share"];

/** What {@linkcode examineBackend} and {@linkcode examineManifests} look at. */
export interface VulkanSurroundings {
  readonly env: Env;
  /** Folders that hold `vulkan/icd.d`; the system's unless given. */
  readonly folders?: readonly string[];
}

/** Whether DENO_WEBGPU_BACKEND leaves Vulkan to be used. */
export function examineBackend({ env }: VulkanSurroundings): Finding[] {
  const value = env("DENO_WEBGPU_BACKEND");
  if (!value) return [];
  const names = value.split(",").map((name) => name.trim().toLowerCase());
  const unknown = names.find((name) => !BACKENDS.includes(name));
  const shared = {
    area: "vulkan",
    name: "DENO_WEBGPU_BACKEND",
    remedy: "unset DENO_WEBGPU_BACKEND, or set it to vulkan",
  } as const;
  if (unknown !== undefined) {
    const text = `is ${JSON.stringify(value)}, but Deno knows ${BACKENDS.join(", ")}`;
    return [{ ...shared, status: "fail", text }];
  }
  if (names.includes("vulkan")) return [];
  return [{ ...shared, status: "fail", text: `is ${value}, which leaves Vulkan out` }];
}

/** The drivers that manifests name, and whether their libraries exist. */
export async function examineManifests(around: VulkanSurroundings): Promise<Finding[]> {
  const { env } = around;
  const replacing = REPLACING.find((name) => env(name));
  const findings: Finding[] = [];
  const paths: string[] = [];
  for (const name of replacing ? [replacing] : ["VK_ADD_DRIVER_FILES"]) {
    for (const place of (env(name) ?? "").split(":").filter(Boolean)) {
      const found = await manifestsAt(place);
      paths.push(...found);
      if (found.length > 0) continue;
      findings.push({
        area: "vulkan",
        name,
        status: replacing ? "fail" : "warn",
        text: `names ${place}, where there is no driver's .json file`,
        remedy: `unset ${name}, or name a file such as /usr/share/vulkan/icd.d/lvp_icd.x86_64.json`,
      });
    }
  }
  if (!replacing) {
    for (const folder of around.folders ?? searchFolders(env)) {
      paths.push(...await manifestsAt(join(folder, "vulkan", "icd.d")));
    }
  }
  if (paths.length === 0 && findings.every(({ status }) => status !== "fail")) {
    const text = "none: no file in vulkan/icd.d of the usual folders";
    findings.push({
      ...{ area: "vulkan", name: "drivers", status: "fail", text },
      remedy: INSTALL_VULKAN,
    });
  }
  const sound: string[] = [], troubles: string[] = [];
  for (const path of paths) {
    const trouble = await troubleWith(path);
    if (trouble === null) sound.push(path);
    else troubles.push(trouble);
  }
  for (const text of troubles) {
    const status = sound.length > 0 ? "warn" : "fail";
    const remedy = "reinstall the driver that the file belongs to, or remove the file";
    findings.push({ area: "vulkan", name: "driver", status, text, remedy });
  }
  if (sound.length > 0) {
    const names = sound.map((path) => basename(path, ".json").replace(/_icd(\.\w+)?$/, ""));
    const text = `${names.join(", ")} in ${[...new Set(sound.map(dirname))].join(", ")}`;
    findings.push({ area: "vulkan", name: "drivers", status: "ok", text, data: { files: sound } });
  }
  return findings;
}

/**
 * Whether Vulkan has only the CPU where the kernel knows a card.
 *
 * @param kinds What Vulkan's devices are.
 * @param folder Where the kernel lists devices.
 */
export async function examineCards(
  kinds: readonly unknown[],
  folder = "/dev",
): Promise<Finding[]> {
  if (kinds.some((kind) => kind !== "CPU")) return [];
  const nodes: string[] = [];
  for (const place of [folder, join(folder, "dri")]) {
    for (const name of await namesIn(place)) {
      if (/^(nvidia\d+|renderD\d+|dxg)$/.test(name)) nodes.push(join(place, name));
    }
  }
  if (nodes.length === 0) return [];
  const nvidia = nodes.some((node) => node.includes("nvidia"));
  return [{
    ...{ area: "vulkan", name: "cards", status: "warn" },
    text: `the system has ${nodes.join(", ")}, but Vulkan has no graphics card`,
    remedy: nvidia
      ? "install NVIDIA's Vulkan driver, nvidia-vulkan-icd or libnvidia-gl; in a container ask " +
        "for NVIDIA_DRIVER_CAPABILITIES=all"
      : "install the card's Vulkan driver, and let this user open the device (group render)",
  }];
}

async function namesIn(folder: string): Promise<string[]> {
  try {
    return (await Array.fromAsync(Deno.readDir(folder))).map(({ name }) => name).sort();
  } catch {
    return [];
  }
}

function searchFolders(env: Env): string[] {
  const home = env("HOME");
  const lists = [
    env("XDG_CONFIG_HOME") || (home && join(home, ".config")),
    env("XDG_CONFIG_DIRS") || "/etc/xdg",
    ...SYSTEM_FOLDERS,
    env("XDG_DATA_HOME") || (home && join(home, ".local", "share")),
    env("XDG_DATA_DIRS"),
    "/run/opengl-driver/share",
  ];
  return [...new Set(lists.flatMap((list) => list?.split(":").filter(Boolean) ?? []))];
}

/** The manifests in a folder, or the one that a path is. */
async function manifestsAt(place: string): Promise<string[]> {
  try {
    if (!(await Deno.stat(place)).isDirectory) return [place];
    const names = await namesIn(place);
    return names.filter((name) => name.endsWith(".json")).map((name) => join(place, name));
  } catch {
    return [];
  }
}

/** What is wrong with a manifest, or null. */
async function troubleWith(path: string): Promise<string | null> {
  let library: unknown;
  try {
    library = JSON.parse(await Deno.readTextFile(path))?.ICD?.library_path;
  } catch (error) {
    return `${path} cannot be read: ${error instanceof Error ? error.message : error}`;
  }
  if (typeof library !== "string") return `${path} names no library (ICD.library_path)`;
  // A bare name is found by the dynamic linker, which is asked when the driver is loaded.
  if (!library.includes("/")) return null;
  const resolved = isAbsolute(library) ? library : join(dirname(path), library);
  return await isFile(resolved) ? null : `${path} names ${resolved}, which does not exist`;
}

async function isFile(path: string): Promise<boolean> {
  try {
    return (await Deno.stat(path)).isFile;
  } catch {
    return false;
  }
}
