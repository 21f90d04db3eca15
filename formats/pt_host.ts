/**
 * What a pickle of torch.save may refer to: tensors and their storages, which are built, and objects of
 * any other class, which become marks. Sources: torch/_utils.py, torch/_tensor.py.
 *
 * @module
 */
import { readPickle } from "./pickle.ts";
import {
  PickleDict,
  PickleGlobal,
  type PickleHost,
  PickleMark,
  PickleTuple,
  type PickleValue,
} from "./pickle_values.ts";
import { damaged, PtStorage, PtStorageView, PtTensor, quote } from "./pt_tensor.ts";
import type { Dtype } from "./safetensors.ts";

/** A value in a PyTorch file. */
export type PtValue = PickleValue<PtTensor>;
/** A dict in a PyTorch file. */
export type PtDict = PickleDict<PtTensor>;
/** An object of a class that is not PyTorch's data. */
export type PtMark = PickleMark<PtTensor>;

/** A value before the storages are told from what is for others to see. */
export type Inner = PtTensor | PtStorage | PtStorageView;
/** As {@linkcode PtValue}, before the storages are told from the rest. */
export type InnerValue = PickleValue<Inner>;

/** Storage classes by the last part of their name. */
const STORAGES: Readonly<Record<string, Dtype>> = {
  DoubleStorage: "F64",
  FloatStorage: "F32",
  HalfStorage: "F16",
  BFloat16Storage: "BF16",
  LongStorage: "I64",
  IntStorage: "I32",
  ShortStorage: "I16",
  CharStorage: "I8",
  ByteStorage: "U8",
  BoolStorage: "BOOL",
};

const MAX_RANK = 64;

/**
 * What runs programs, code or other pickles. Nothing at all is ever run here; but no checkpoint needs
 * these, PyTorch would obey them, and a person should know.
 */
const HARMFUL =
  /^(_pickle|cPickle|ctypes|importlib|marshal|nt|os|pdb|pickle|posix|pty|runpy|shutil|socket|subprocess|sys|webbrowser|torch\.(hub|package))\.|^(builtins|__builtin__)\.(__import__|apply|breakpoint|compile|delattr|eval|exec|execfile|file|globals|input|open|setattr)$|^torch\.(load|save)$|^types\.(CodeType|FunctionType|LambdaType)$/;

/** What the names in a PyTorch file make. */
export class TorchHost implements PickleHost<Inner> {
  readonly storages = new Map<string, PtStorage>();
  readonly #tensors: PtTensor[] = [];

  /** @param at Where the next pickle begins in a legacy file. */
  constructor(public at = 0) {}

  /** The next of several pickles in a row. */
  next(bytes: Uint8Array): InnerValue {
    const { value, end } = readPickle<Inner>(bytes, this, this.at);
    this.at = end;
    return value;
  }

  /** Checks every tensor, once the storages are there. */
  finish(value: InnerValue): PtValue {
    for (const tensor of this.#tensors) tensor.check();
    // A storage may stand alone in a file; nothing here can use it, so it is passed over as opaque.
    return value as PtValue;
  }

  allows(name: string): boolean {
    return !HARMFUL.test(name);
  }

  mark(name: string, args: readonly InnerValue[]): PickleMark<Inner> {
    return new PickleMark(name, args);
  }

  build(name: string, args: readonly InnerValue[]): InnerValue {
    if (!Object.hasOwn(BUILDERS, name)) {
      if (storageDtype(name) === undefined) return this.mark(name, args);
      throw damaged(`${name} must stand for a type alone`);
    }
    const made = BUILDERS[name]!(args);
    if (made === undefined) throw damaged(`${name} must be given what PyTorch gives it`);
    if (made instanceof PtTensor) this.#tensors.push(made);
    return made;
  }

  /** `("storage", class, key, device, count[, view])`. */
  persistent(id: InnerValue): InnerValue {
    const [kind, type, key, device, count, part] = id instanceof PickleTuple ? id.items : [];
    // Legacy files refer to the classes of modules by this, with their source text.
    if (kind === "module" && type instanceof PickleGlobal) return type;
    if (
      kind !== "storage" || !(type instanceof PickleGlobal) || typeof key !== "string" ||
      typeof device !== "string" || !isCount(count) || part instanceof PickleMark
    ) {
      throw damaged("a persistent id must name a storage, its type, key, device and size");
    }
    const dtype = storageDtype(type.name);
    if (dtype === undefined) {
      if (/^torch\.(\w+|storage\.(Untyped|Typed))Storage$/.test(type.name)) {
        return new ForeignStorage(type.name);
      }
      throw damaged(`a persistent id must name a type of storage, got ${quote(type.name)}`);
    }
    const before = this.storages.get(key);
    if (before && (before.dtype !== dtype || before.count !== count)) {
      throw damaged(`storage ${quote(key)} must have one type and size`);
    }
    const storage = before ?? new PtStorage(key, dtype, count);
    this.storages.set(key, storage);
    if (!(part instanceof PickleTuple)) return storage;
    const [, offset, size] = part.items;
    if (!isCount(offset) || !isCount(size) || offset + size > count) {
      throw damaged(`a part of storage ${quote(key)} must lie inside it`);
    }
    return new PtStorageView(storage, offset, size);
  }
}

function storageDtype(name: string): Dtype | undefined {
  const last = /^torch\.(\w+)$/.exec(name)?.[1] ?? "";
  return Object.hasOwn(STORAGES, last) ? STORAGES[last] : undefined;
}

/** A storage of elements that no tensor here has, such as complex numbers. */
class ForeignStorage extends PickleMark<Inner> {}

type Builder = (args: readonly InnerValue[]) => InnerValue | undefined;

/** Constructors by name; each gives undefined for arguments that PyTorch would not write. */
const BUILDERS: Readonly<Record<string, Builder>> = {
  "collections.OrderedDict": orderedDict,
  "collections.defaultdict": ([, ...rest]) => orderedDict(rest),
  "builtins.getattr": attribute,
  "__builtin__.getattr": attribute,
  "copyreg._reconstructor": reconstructed,
  "copy_reg._reconstructor": reconstructed,
  "torch.Size": ([sizes]) => sizes instanceof PickleTuple ? sizes : undefined,
  "torch._utils._rebuild_tensor": tensor,
  "torch._utils._rebuild_tensor_v2": tensor,
  "torch._utils._rebuild_parameter": parameter,
  "torch._utils._rebuild_parameter_with_state": parameter,
  "torch._tensor._rebuild_from_type_v2": rebuilt,
};

/** A tensor, whether it wants a gradient, hooks; perhaps attributes. */
function parameter(args: readonly InnerValue[]): InnerValue | undefined {
  const [data] = args;
  if (args.slice(1).some((item) => item instanceof PickleMark)) return undefined;
  return data instanceof PtTensor || data instanceof ForeignTensor ? data : undefined;
}

/** How a tensor with attributes of its own is made: a function above, its class, its arguments. */
function rebuilt([how, , args]: readonly InnerValue[]): InnerValue | undefined {
  const known = how instanceof PickleGlobal && /^torch\._utils\._rebuild_\w+$/.test(how.name) &&
    Object.hasOwn(BUILDERS, how.name);
  return known && args instanceof PickleTuple ? BUILDERS[how.name]!(args.items) : undefined;
}

/** A tensor whose elements no network here has. */
class ForeignTensor extends PickleMark<Inner> {}

/** What stands inside a class: a class, or a member of an enumeration. */
function attribute([owner, name]: readonly InnerValue[]): InnerValue {
  const of = owner instanceof PickleGlobal || owner instanceof PickleMark ? owner.name : "object";
  return new PickleMark<Inner>(typeof name === "string" ? `${of}.${name}`.slice(0, 256) : of);
}

/** An object of an old protocol: its class, its base and the base's state. */
function reconstructed([type, ...rest]: readonly InnerValue[]): InnerValue | undefined {
  return type instanceof PickleGlobal ? new PickleMark<Inner>(type.name, rest) : undefined;
}

/** No arguments, or a list of pairs. */
function orderedDict([pairs, more]: readonly InnerValue[]): InnerValue | undefined {
  const dict = new PickleDict<Inner>();
  if (pairs === undefined) return dict;
  if (!Array.isArray(pairs) || more !== undefined) return undefined;
  for (const pair of pairs) {
    const [key, value] = Array.isArray(pair) ? pair : pair instanceof PickleTuple ? pair.items : [];
    if (typeof key !== "string" && typeof key !== "number") return undefined;
    if (value === undefined) return undefined;
    dict.set(key, value);
  }
  return dict;
}

/** Storage, offset, shape, strides; whether it wants a gradient and plain hooks don't matter. */
function tensor(args: readonly InnerValue[]): InnerValue | undefined {
  const [source, offset, shape, strides, ...rest] = args;
  // What would be called while a tensor is made is no object beside the weights.
  if (rest.some((item) => item instanceof PickleMark)) return undefined;
  if (!(shape instanceof PickleTuple) || !(strides instanceof PickleTuple)) return undefined;
  const sizes = shape.items, steps = strides.items;
  if (!isCount(offset) || !sizes.every(isCount) || !steps.every(isCount)) return undefined;
  if (sizes.length !== steps.length || sizes.length > MAX_RANK) return undefined;
  if (source instanceof PtStorageView) {
    return new PtTensor(source.storage, source.offset + offset, sizes, steps);
  }
  if (source instanceof ForeignStorage) return new ForeignTensor(`a tensor of ${source.name}`);
  return source instanceof PtStorage ? new PtTensor(source, offset, sizes, steps) : undefined;
}

function isCount(value: unknown): value is number {
  return typeof value === "number" && Number.isSafeInteger(value) && value >= 0;
}
