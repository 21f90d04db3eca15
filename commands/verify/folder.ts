/**
 * Replays everything that a folder of recorded numbers holds.
 *
 * @module
 */
import type { Gpu } from "../../device/gpu.ts";
import { UsageError } from "../../support/errors.ts";
import { listNamedFolder } from "../../support/files.ts";
import { CKPT_INDEX, verifyCkpt } from "./ckpt.ts";
import { FAMILIES, RECORDED_NETWORKS } from "./families.ts";
import { FID_INDEX, verifyFid } from "./fid.ts";
import { type CaseResult, GoldenFile, replay, unsupported } from "./golden.ts";
import { PIPELINES, verifyPipeline } from "./pipelines.ts";
import { verifyNetwork } from "./recorded_network.ts";
import { baseOf } from "./recorded_state.ts";

const MANIFEST = ".manifest.json";

/**
 * Replays every family that a folder holds, or its sub-folders do. What is not known here is counted
 * as unsupported, and what breaks as failed; the rest is replayed all the same.
 *
 * @param folder A folder in the layout of tests/golden, or of such folders.
 * @throws {UsageError} When the folder holds no family, or none that can be read.
 */
export async function* verifyFolder(gpu: Gpu, folder: string): AsyncGenerator<CaseResult> {
  const files = await listFiles(folder);
  const names = files.flatMap((file) => /^([^/]+)\.safetensors$/.exec(file)?.[1] ?? []);
  const hasFid = files.includes(FID_INDEX), hasCkpt = files.includes(CKPT_INDEX);
  const inner = new Set(
    files.filter((file) => file.endsWith(MANIFEST) && file.includes("/"))
      .map((file) => file.slice(0, file.indexOf("/"))),
  );
  if (names.length === 0 && !hasFid && !hasCkpt && inner.size === 0) {
    throw new UsageError(
      `Cannot verify ${folder}: it must hold recorded numbers such as ops.safetensors, got none`,
    );
  }
  const golden = new Map<string, GoldenFile>();
  const damaged = new Map<string, unknown>();
  for (const family of names.filter((name) => name in FAMILIES)) {
    try {
      golden.set(family, await GoldenFile.read(folder, family));
    } catch (error) {
      damaged.set(family, error);
    }
  }
  if (damaged.size > 0 && damaged.size === names.length && !hasFid && !hasCkpt) {
    throw [...damaged.values()][0];
  }
  for (const [family, verify] of Object.entries(FAMILIES)) {
    const file = golden.get(family);
    if (file) yield* replay(whole(family), () => verify(gpu, file, golden));
    else if (damaged.has(family)) {
      yield* replay(whole(family), () => Promise.reject(damaged.get(family)));
    }
  }
  if (hasFid) yield* replay(whole("fid"), () => verifyFid(folder));
  if (hasCkpt) yield* replay(whole("ckpt"), () => verifyCkpt(gpu, folder));
  for (const name of names.filter((name) => !(name in FAMILIES))) {
    yield* verifyOther(gpu, folder, name);
  }
  for (const name of inner) yield* verifyFolder(gpu, `${folder}/${name}`);
}

const whole = (family: string) => ({ case: "all", family, op: "family" });

/** Replays what is known by its manifest alone. */
async function* verifyOther(
  gpu: Gpu,
  folder: string,
  name: string,
): AsyncGenerator<CaseResult> {
  let manifest: Readonly<Record<string, unknown>>;
  try {
    manifest = await manifestOf(folder, name);
  } catch (error) {
    yield* replay(whole(name), () => Promise.reject(error));
    return;
  }
  if (typeof manifest.directory === "string" && manifest.runs) {
    const one = { case: name, family: PIPELINES, op: "pipeline" };
    const { directory } = manifest;
    yield* replay(
      one,
      async () =>
        verifyPipeline(gpu, await GoldenFile.read(folder, name), name, `${folder}/${directory}`),
    );
    return;
  }
  const network = RECORDED_NETWORKS.find(({ family }) => family === manifest.family);
  if (!network) {
    yield unsupported(whole(name), "the family is not known");
    return;
  }
  yield* replay({ case: name, family: network.family, op: "network" }, async () => {
    const file = await GoldenFile.read(folder, name);
    const base = baseOf(file);
    return verifyNetwork(
      gpu,
      file,
      network,
      base ? await GoldenFile.read(folder, base) : undefined,
    );
  });
}

/**
 * What a manifest says; nothing where there is none.
 *
 * @throws {UsageError} When it is damaged.
 */
async function manifestOf(
  folder: string,
  name: string,
): Promise<Readonly<Record<string, unknown>>> {
  const path = `${folder}/${name}${MANIFEST}`;
  try {
    return JSON.parse(await Deno.readTextFile(path));
  } catch (error) {
    if (error instanceof Deno.errors.NotFound) return {};
    const reason = error instanceof Error ? error.message : String(error);
    throw new UsageError(`Cannot verify ${name}: ${path} must be JSON: ${reason}`);
  }
}

async function listFiles(folder: string): Promise<string[]> {
  const files: string[] = [];
  for (const { name, isFile, isDirectory } of await listNamedFolder("verify", folder)) {
    if (isFile) files.push(name);
    if (!isDirectory) continue;
    for (const inner of await listNamedFolder("verify", `${folder}/${name}`)) {
      if (inner.isFile) files.push(`${name}/${inner.name}`);
    }
  }
  return files.sort();
}
