/**
 * Parameters of networks of Hugging Face diffusers under their names there. Modules here have the
 * properties of theirs, so that a name follows from the path.
 *
 * @module
 */
import { type Module, namedParameters } from "../../module.ts";
import {
  type PytorchParameter,
  pytorchParameter,
  rearrangedParameter,
} from "../../names/pytorch.ts";

/** Every parameter, in the order in which the module declares them. */
export function diffusersNames(module: Module): PytorchParameter[] {
  return Array.from(namedParameters(module), ([name, { shape }]) => {
    const theirs = name
      .replace(/\blinear(\d)/, "linear_$1")
      .replaceAll(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`);
    const isProjection = /\.to_(q|k|v|out\.0)\.weight$/.test(theirs);
    const isTable = theirs === "class_embedding.weight" || theirs === "time_proj.weight";
    return isTable
      ? rearrangedParameter(name, shape, { name: theirs, shape }, asTheyAre(shape))
      : pytorchParameter(name, theirs, shape, isProjection ? "pointwise" : undefined);
  });
}

/** Axes as they are there. */
const asTheyAre = (sizes: readonly number[]) => ({ sizes, order: sizes.map((_, axis) => axis) });

/** Names that versions before 0.15 gave the projections of attention, and today's. */
const OLD_NAMES: readonly (readonly [string, string])[] = [
  [".query.", ".to_q."],
  [".key.", ".to_k."],
  [".value.", ".to_v."],
  [".proj_attn.", ".to_out.0."],
];

/** Today's name of a tensor. */
export function currentName(name: string): string {
  if (!name.includes(".attentions.")) return name;
  return OLD_NAMES.reduce((text, [old, current]) => text.replace(old, current), name);
}
