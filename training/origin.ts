/**
 * The weights that a new run begins with where it does not begin from scratch: those of a checkpoint.
 * The run keeps them as its own checkpoint of step 0, so that it needs the other one no more.
 *
 * @module
 */
import { isLoraName } from "../model/lora.ts";
import type { Module } from "../model/module.ts";
import { namedParameters } from "../model/module.ts";
import { UsageError } from "../support/errors.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { EMA_PREFIX, WEIGHTS_PREFIX } from "./prefixes.ts";

/** What weights are taken from: a checkpoint, or a run at hand that offers them like one. */
export type WeightSource = Pick<Checkpoint, "path" | "step" | "config" | "read"> & {
  /** The shapes of all tensors by name. */
  readonly tensors: ReadonlyMap<string, { readonly shape: readonly number[] }>;
};

/** Which weights of a checkpoint. */
export interface Origin {
  readonly checkpoint: WeightSource;
  /** The averaged weights, or those of the last step. */
  readonly weights: "ema" | "raw";
  /** Whether it may lack something, or have it in another shape; false unless given. */
  readonly partial?: boolean;
  /** Whether the optimiser's moments are taken over too; false unless given. */
  readonly moments?: boolean;
}

/** What a run's folder says of its origin. */
export interface OriginRecord {
  readonly checkpoint: string;
  readonly step: number;
  readonly weights: "ema" | "raw";
  readonly partial?: true;
  readonly moments?: true;
}

/** What comes before the names of the origin's weights in its checkpoint. */
export function originPrefix({ weights }: Origin): string {
  return weights === "ema" ? EMA_PREFIX : WEIGHTS_PREFIX;
}

/** What to keep of an origin. */
export function originRecord({ checkpoint, weights, partial, moments }: Origin): OriginRecord {
  return {
    ...{ checkpoint: checkpoint.path, step: checkpoint.step, weights },
    ...partial && { partial: true },
    ...moments && { moments: true },
  };
}

/** Tensors that are named in an error or a remark. */
const MOST_NAMED = 6;

/** What a network takes over from an origin. */
export interface TakenOver {
  /** Names of the parameters that the origin has; all others start afresh. */
  readonly names: ReadonlySet<string>;
  /** Lines for a person on what starts afresh and what is left out. */
  readonly remarks: readonly string[];
}

/**
 * What a network can take over of an origin: everything, or of a partial one what it has by the same name
 * and shape. Low-rank additions start afresh where the origin has none.
 *
 * @throws {UsageError} When it lacks something and is not partial, or has nothing; it names what differs.
 */
export function takeOver(origin: Origin, network: Module): TakenOver {
  const { checkpoint, partial = false } = origin, prefix = originPrefix(origin);
  const names = new Set<string>(), fresh: string[] = [], foreign: string[] = [];
  const known = new Set<string>();
  for (const [name, { shape }] of namedParameters(network)) {
    known.add(`${prefix}${name}`);
    const there = checkpoint.tensors.get(`${prefix}${name}`)?.shape;
    if (there?.join() === shape.join()) names.add(name);
    else if (there || !isLoraName(name)) {
      fresh.push(`${name} must be [${shape}], got ${there ? `[${there}]` : "none"}`);
    }
  }
  for (const name of checkpoint.tensors.keys()) {
    if (name.startsWith(prefix) && !known.has(name)) foreign.push(name.slice(prefix.length));
  }
  if (partial && names.size > 0) {
    return {
      names,
      remarks: [
        ...fresh.length > 0
          ? [`what is other than in the run's network starts afresh: ${some(fresh)}`]
          : [],
        ...foreign.length > 0
          ? [`what the run's network has not is left out: ${some(foreign)}`]
          : [],
      ],
    };
  }
  const wrong = [...fresh, ...foreign.map((name) => `${name} must not be there`)];
  if (wrong.length === 0) return { names, remarks: [] };
  throw new UsageError(
    `Cannot begin with the weights of ${checkpoint.path}: they must be those of the run's network; ` +
      `${some(wrong)}. Leave out the keys of model and data that are not the source's` +
      (names.size > 0 ? ", or take over what fits by --partial" : ""),
  );
}

function some(names: readonly string[]): string {
  const rest = names.length > MOST_NAMED ? `; and ${names.length - MOST_NAMED} more` : "";
  return `${names.slice(0, MOST_NAMED).join("; ")}${rest}`;
}
