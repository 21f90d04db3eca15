/**
 * Writes pickles as NVlabs/edm does: modules as persistent objects with their source text, tensors
 * whose storages are files of torch.save.
 *
 * @module
 */
import { legacyStart, op, pickle, type PickleBytes } from "./torch_file.ts";

/** A value of a pickle: tensors have a shape. */
export type Pickled =
  | null
  | boolean
  | number
  | string
  | { readonly shape: readonly number[]; readonly data: ArrayLike<number> }
  | { readonly raw: PickleBytes }
  | readonly Pickled[]
  | ReadonlyMap<string, Pickled>;

function little(value: number, bytes: number): number[] {
  return Array.from({ length: bytes }, (_, i) => Math.floor(value / 256 ** i) & 255);
}

function tuple(...items: PickleBytes[]): PickleBytes {
  return [...op.mark, ...items.flat(), ...op.tuple];
}

function call(module: string, name: string, ...args: PickleBytes[]): PickleBytes {
  return [...op.global(module, name), ...tuple(...args), ...op.reduce];
}

/** The opcodes of a value. */
export function opcodes(value: Pickled): PickleBytes {
  if (value === null) return op.none;
  if (typeof value === "boolean") return op.bool(value);
  if (typeof value === "string") return op.text(value);
  if (typeof value === "number") {
    return Number.isInteger(value) ? op.int(value) : op.float(value);
  }
  if (value instanceof Map) {
    const items = [...value].flatMap(([key, item]) => [...op.text(key), ...opcodes(item)]);
    return [...op.emptyDict, ...op.mark, ...items, ...op.setItems];
  }
  if (Array.isArray(value)) {
    return [...op.emptyList, ...op.mark, ...value.flatMap(opcodes), ...op.appends];
  }
  if ("raw" in value) return value.raw;
  return tensor(value as { shape: readonly number[]; data: ArrayLike<number> });
}

function tensor({ shape, data }: { shape: readonly number[]; data: ArrayLike<number> }) {
  const ints = (values: readonly number[]) => tuple(...values.map(op.int));
  const strides = shape.map((_, i) => shape.slice(i + 1).reduce((a, b) => a * b, 1));
  const hooks = call("collections", "OrderedDict");
  const made = call(
    "torch._utils",
    "_rebuild_tensor_v2",
    call("torch.storage", "_load_from_bytes", storageBytes(data)),
    op.int(0),
    ints(shape),
    ints(strides),
    op.bool(false),
    hooks,
  );
  return call("torch._utils", "_rebuild_parameter", made, op.bool(true), hooks);
}

/** A storage as torch.save writes one, as bytes in a pickle. */
function storageBytes(data: ArrayLike<number>): PickleBytes {
  const id = tuple(
    op.text("storage"),
    op.global("torch", "FloatStorage"),
    op.text("7"),
    op.text("cpu"),
    op.int(data.length),
    op.none,
  );
  const bytes = [
    ...legacyStart().flatMap((part) => [...part]),
    ...pickle(id, op.persistentId),
    ...pickle(op.emptyList, op.mark, op.text("7"), op.appends),
    ...little(data.length, 8),
    ...new Uint8Array(Float32Array.from(data).buffer),
  ];
  return [0x42, ...little(bytes.length, 4), ...bytes];
}

/** A persistent object: its class's source text would be run, were it read by Python. */
export function persistentObject(name: string, state: ReadonlyMap<string, Pickled>): Pickled {
  const meta = new Map<string, Pickled>([
    ["type", "class"],
    ["version", 6],
    ["module_src", "raise SystemError('run')"],
    ["class_name", name],
    ["state", state],
  ]);
  return { raw: call("torch_utils.persistence", "_reconstruct_persistent_obj", opcodes(meta)) };
}

/** A module and those inside it, from tensors under dotted names. */
export function moduleOf(
  name: string,
  tensors: ReadonlyMap<string, Pickled>,
  given: ReadonlyMap<string, Pickled> = new Map(),
): Pickled {
  const own = new Map<string, Pickled>(), inner = new Map<string, Map<string, Pickled>>();
  for (const [path, value] of tensors) {
    const [first = "", ...rest] = path.split(".");
    if (rest.length === 0) own.set(first, value);
    else {
      const part = inner.get(first) ?? new Map<string, Pickled>();
      inner.set(first, part.set(rest.join("."), value));
    }
  }
  const state = new Map<string, Pickled>([
    ["training", false],
    ["_parameters", own],
    ["_buffers", new Map()],
    ["_modules", new Map([...inner].map(([key, part]) => [key, moduleOf("Part", part)]))],
    ["_init_kwargs", given],
  ]);
  return persistentObject(name, state);
}

/** The file of a value, in protocol 4. */
export function pickleFile(value: Pickled): Uint8Array<ArrayBuffer> {
  return Uint8Array.from([0x80, 4, ...opcodes(value), ...op.stop]);
}
