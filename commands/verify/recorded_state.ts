/**
 * The `state_dict` of a recorded network: in its file, laid over that of another, or made from a hash
 * of the names.
 *
 * @module
 */
import type { PytorchTensor } from "../../model/names/pytorch.ts";
import { type GoldenFile, Unsupported } from "./golden.ts";
import { hashedTensor } from "./inception.ts";

/** Tensors in PyTorch's layout, by name. */
export type RecordedState = ReadonlyMap<string, PytorchTensor>;

/** The manifest's list of tensors. */
type Listed = readonly (readonly [name: string, shape: readonly number[], ...rest: unknown[]])[];

/** Name of the file, without its ending, that a network's weights build on; undefined for none. */
export function baseOf({ manifest }: GoldenFile): string | undefined {
  const params = manifest.params as { readonly base?: string | null } | undefined;
  return params?.base?.replace(/\.safetensors$/, "");
}

/**
 * Everything in the `state_dict`, in its order.
 *
 * @param base The file of {@linkcode baseOf}.
 * @throws {Unsupported} When a tensor is neither recorded nor made by a recipe.
 */
export function recordedState(golden: GoldenFile, base: GoldenFile | undefined): RecordedState {
  const listed = golden.manifest.state_dict as Listed | Readonly<Record<string, number[]>>;
  const entries = Array.isArray(listed) ? listed as Listed : Object.entries(listed);
  const state = new Map<string, PytorchTensor>();
  for (const [name, shape] of entries) {
    const data = recordedTensor(golden, name) ?? (base && recordedTensor(base, name)) ??
      hashed(golden, name, shape);
    if (!data) throw new Unsupported(`${name} of the state_dict is not recorded`);
    state.set(name, { shape, data });
  }
  return state;
}

function recordedTensor(
  golden: GoldenFile,
  name: string,
): Float32Array<ArrayBuffer> | undefined {
  const key = [`param/${name}`, `buffer/${name}`].find((key) => golden.has(key));
  return key === undefined ? undefined : golden.f32(key);
}

function hashed(
  { manifest }: GoldenFile,
  name: string,
  shape: readonly number[],
): Float32Array<ArrayBuffer> | undefined {
  const recipe = manifest.weight_recipe as { readonly spread?: number | null } | undefined;
  if (!recipe) return undefined;
  const { spread } = recipe;
  const value = typeof spread === "number" ? (u: number) => (2 * u - 1) * spread : undefined;
  return Float32Array.from(hashedTensor(name, shape, manifest.salt as number, value).data);
}
