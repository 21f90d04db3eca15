/**
 * The weights that a new run begins with where it does not begin from scratch: those of a checkpoint.
 * The run keeps them as its own checkpoint of step 0, so that it needs the other one no more.
 *
 * @module
 */
import type { Module } from "../model/module.ts";
import { namedParameters } from "../model/module.ts";
import { UsageError } from "../support/errors.ts";
import type { Checkpoint } from "./checkpoint.ts";
import { EMA_PREFIX, WEIGHTS_PREFIX } from "./state.ts";

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
}

/** What a run's folder says of its origin. */
export interface OriginRecord {
  readonly checkpoint: string;
  readonly step: number;
  readonly weights: "ema" | "raw";
}

/** What comes before the names of the origin's weights in its checkpoint. */
export function originPrefix({ weights }: Origin): string {
  return weights === "ema" ? EMA_PREFIX : WEIGHTS_PREFIX;
}

/** What to keep of an origin. */
export function originRecord({ checkpoint, weights }: Origin): OriginRecord {
  return { checkpoint: checkpoint.path, step: checkpoint.step, weights };
}

/** Tensors that are named in an error. */
const MOST_NAMED = 6;

/**
 * Refuses an origin that has not exactly the weights of a network.
 *
 * @throws {UsageError} It names what differs.
 */
export function checkOrigin(origin: Origin, network: Module): void {
  const { checkpoint } = origin, prefix = originPrefix(origin);
  const wrong: string[] = [], known = new Set<string>();
  for (const [name, { shape }] of namedParameters(network)) {
    known.add(`${prefix}${name}`);
    const there = checkpoint.tensors.get(`${prefix}${name}`)?.shape;
    if (there?.join() === shape.join()) continue;
    wrong.push(`${name} must be [${shape}], got ${there ? `[${there}]` : "none"}`);
  }
  for (const name of checkpoint.tensors.keys()) {
    if (!name.startsWith(prefix) || known.has(name)) continue;
    wrong.push(`${name.slice(prefix.length)} must not be there`);
  }
  if (wrong.length === 0) return;
  const rest = wrong.length > MOST_NAMED ? `; and ${wrong.length - MOST_NAMED} more` : "";
  throw new UsageError(
    `Cannot begin with the weights of ${checkpoint.path}: they must be those of the run's network; ` +
      `${
        wrong.slice(0, MOST_NAMED).join("; ")
      }${rest}. Leave out the keys of model and data that ` +
      "are not the source's",
  );
}
