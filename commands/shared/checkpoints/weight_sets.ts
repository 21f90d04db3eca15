/**
 * Where in a file the weights of a network are. Wrappers put words before the names of its tensors
 * (`module.` of DataParallel, `_orig_mod.` of torch.compile), training code does (`model.`,
 * `ema_model.`), and dicts inside dicts do; any of them in any order is one prefix.
 *
 * @module
 */
import { UsageError } from "../../../support/errors.ts";
import type { Source, SourceTensor } from "./source.ts";

/** The tensors of one network under their own names, and what was before each in the file. */
export interface WeightSet {
  /** Empty, or words that each end in a dot. */
  readonly prefix: string;
  readonly tensors: ReadonlyMap<string, SourceTensor>;
}

/** The weights of a file, and their average; the same set twice where it has one alone. */
export interface FoundWeights {
  readonly raw: WeightSet;
  readonly ema: WeightSet;
  /** Tensors of the file that are in neither. */
  readonly others: readonly string[];
}

/** Words that wrappers of single layers put inside names. */
const WRAPPERS = /(^|\.)(_orig_mod|_fsdp_wrapped_module|_checkpoint_wrapped_module)(?=\.)/g;

/** Words of averaged weights, alone or with others: `ema`, `model_ema`, `ema_0`, `averaged_model`. */
const AVERAGED = /(^|[_-])(ema|swa|avg|averaged?|shadow|teacher)(?=[_\d-]|$)/i;
/** Words of the copy that an average keeps of what it averages. */
const COPY = /^online/;

type Kind = "raw" | "ema" | "copy";

/** Whether a file holds the network that has a tensor of this name, under any prefix. */
export function hasWeights({ tensors }: Pick<Source, "tensors">, anchor: string): boolean {
  for (const name of tensors.keys()) if (prefixOf(unwrapped(name), anchor) !== null) return true;
  return false;
}

/**
 * Finds the weights of a network and their average.
 *
 * @param anchor The name of a tensor that every such network has once.
 * @param wanted What the prefix must begin with, where a person has said so.
 * @throws {UsageError} When there are several and nothing tells which is meant; it names them.
 */
export function findWeights(source: Source, anchor: string, wanted?: string): FoundWeights {
  const sets = setsOf(source, anchor);
  const all = [...sets.keys()];
  if (all.length === 0) {
    throw new UsageError(`Cannot take the weights of ${source.path}: ${anchor} must be there`);
  }
  const chosen = wanted === undefined ? all : all.filter((prefix) => prefix.startsWith(wanted));
  if (chosen.length === 0) {
    throw new UsageError(
      `Cannot take the weights under ${
        JSON.stringify(wanted)
      } from ${source.path}: the prefix must ` +
        `be one that it has, ${listed(all)}`,
    );
  }
  const of = (kind: Kind) => chosen.filter((prefix) => kindOf(prefix) === kind);
  const [raws, copies, averages] = [of("raw"), of("copy"), of("ema")];
  const plain = raws.length > 0 ? raws : copies;
  for (const several of [plain, averages]) {
    if (several.length < 2) continue;
    throw new UsageError(
      `Cannot tell which network of ${source.path} to take: it must hold one, got ` +
        `${listed(several)}; choose by --prefix`,
    );
  }
  const [raw = averages[0]!] = plain, [ema = raw] = averages;
  const used = new Set([sets.get(raw)!, sets.get(ema)!].flatMap(({ stored }) => stored));
  const set = (prefix: string): WeightSet => ({ prefix, tensors: sets.get(prefix)!.tensors });
  return {
    raw: set(raw),
    ema: set(ema),
    others: [...source.tensors.keys()].filter((name) => !used.has(name)),
  };
}

/** A sentence on where the weights were, and on what was left out. */
export function describeWeights({ raw, ema }: FoundWeights): string {
  const under = ({ prefix }: WeightSet) => prefix === "" ? "" : ` under ${JSON.stringify(prefix)}`;
  const count = `${raw.tensors.size} tensors`;
  if (raw.prefix !== ema.prefix) {
    return `${count}${under(raw)}, their average${under(ema)}`;
  }
  return kindOf(raw.prefix) === "ema"
    ? `averages alone, ${count}${under(raw)}; they stand for the weights too`
    : `${count}${under(raw)}, no average; they stand for it too`;
}

interface Found {
  readonly tensors: Map<string, SourceTensor>;
  /** Their names in the file. */
  readonly stored: string[];
}

/** The sets of a file by their prefix. A tensor belongs to the longest prefix that fits. */
function setsOf({ path, tensors }: Source, anchor: string): Map<string, Found> {
  const names = new Map(Array.from(tensors.keys(), (name) => [name, unwrapped(name)]));
  const sets = new Map<string, Found>();
  for (const name of names.values()) {
    const prefix = prefixOf(name, anchor);
    if (prefix !== null) sets.set(prefix, { tensors: new Map(), stored: [] });
  }
  const prefixes = [...sets.keys()].sort((a, b) => b.length - a.length);
  for (const [stored, name] of names) {
    const prefix = prefixes.find((prefix) => name.startsWith(prefix));
    if (prefix === undefined) continue;
    const set = sets.get(prefix)!, own = name.slice(prefix.length);
    if (set.tensors.has(own)) {
      throw new UsageError(
        `Cannot take the weights of ${path}: without the names of wrappers each must be there once, ` +
          `got ${JSON.stringify(own)} twice`,
      );
    }
    set.tensors.set(own, tensors.get(stored)!);
    set.stored.push(stored);
  }
  return sets;
}

function unwrapped(name: string): string {
  return name.replace(WRAPPERS, "").replace(/^\./, "");
}

function prefixOf(name: string, anchor: string): string | null {
  if (name === anchor) return "";
  return name.endsWith(`.${anchor}`) ? name.slice(0, -anchor.length) : null;
}

function kindOf(prefix: string): Kind {
  const words = prefix.split(".");
  if (words.some((word) => COPY.test(word))) return "copy";
  return words.some((word) => AVERAGED.test(word)) ? "ema" : "raw";
}

function listed(prefixes: readonly string[]): string {
  return prefixes.map((prefix) => JSON.stringify(prefix)).join(", ");
}

/** Names of tensors by their first word, with how many there are. */
export function groupsOf(names: readonly string[]): string {
  const counts = new Map<string, number>();
  for (const name of names) {
    const [word = ""] = name.split(".");
    counts.set(word, (counts.get(word) ?? 0) + 1);
  }
  const texts = Array.from(counts, ([word, n]) => n === 1 ? word : `${word} (${n} tensors)`);
  return texts.slice(0, 8).join(", ") + (texts.length > 8 ? ` and ${texts.length - 8} more` : "");
}

/** How many parts there are whose names begin with `before.0.`, `before.1.` and so on, without a gap. */
export function countParts(tensors: ReadonlyMap<string, unknown>, before: string): number {
  const numbers = new Set<string>();
  for (const name of tensors.keys()) {
    if (name.startsWith(`${before}.`)) numbers.add(name.slice(before.length + 1).split(".")[0]!);
  }
  let count = 0;
  while (numbers.has(`${count}`)) count++;
  return count;
}
