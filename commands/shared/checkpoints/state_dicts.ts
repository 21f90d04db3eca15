/**
 * Networks as `state_dict`s of their own code bases: values of parameters from tensors under other
 * names, and the way back.
 *
 * @module
 */
import type { StoredTensor } from "../../../formats/safetensors.ts";
import { fromPytorch, type PytorchEntry, toPytorch } from "../../../model/names/pytorch.ts";
import { toF32 } from "./floats.ts";
import type { ParameterReader, PortableModel } from "./portable.ts";
import type { WeightsChoice } from "./pytorch_ddpm.ts";
import type { LazyTensor } from "./source.ts";
import type { WeightSet } from "./weight_sets.ts";

/** A file to be written. */
export interface Exported {
  readonly tensors: [string, LazyTensor][];
  readonly metadata: Record<string, string>;
}

/** What comes before the names of weights and of averages where a file holds both. */
const BOTH = { weights: "model.", ema: "ema." };

/** Values of our parameters from tensors under the names of `entries`. */
export function parameterReader(
  entries: readonly PytorchEntry[],
  { tensors }: WeightSet,
): ParameterReader {
  const byName = new Map(
    entries.flatMap((entry) => entry.kind === "parameter" ? [[entry.name, entry] as const] : []),
  );
  return (name) => {
    const entry = byName.get(name), tensor = entry && tensors.get(entry.pytorchName);
    if (!entry || !tensor) {
      return Promise.reject(new RangeError(`Cannot convert: ${name} must be in the checkpoint`));
    }
    const data = toF32(tensor.read());
    return Promise.resolve(fromPytorch(entry, { shape: tensor.shape, data }));
  };
}

/**
 * The tensors of a network under the names of `entries`: with `all`, its weights and their average under
 * `before`, else one of them under no more than their names.
 *
 * @param constant What is not learned, by its name there; left out where there is none.
 */
export function stateDicts(
  model: Pick<PortableModel, "weights" | "ema">,
  entries: readonly PytorchEntry[],
  choice: WeightsChoice,
  { before = BOTH, constant = () => undefined }: {
    readonly before?: Readonly<Record<"weights" | "ema", string>>;
    readonly constant?: (pytorchName: string) => StoredTensor | undefined;
  } = {},
): [string, LazyTensor][] {
  const set = (read: ParameterReader, prefix: string) =>
    entries.flatMap((entry): [string, LazyTensor][] => {
      const { pytorchName, pytorchShape: shape } = entry, name = `${prefix}${pytorchName}`;
      if (entry.kind === "constant") {
        const stored = constant(pytorchName);
        return stored ? [[name, { ...stored, read: () => stored }]] : [];
      }
      const tensor = async () => ({
        ...{ dtype: "F32", shape } as const,
        data: toPytorch(entry, await read(entry.name)).data,
      });
      return [[name, { dtype: "F32", shape, read: tensor }]];
    });
  if (choice === "ema") return set(model.ema, "");
  if (choice === "raw") return set(model.weights, "");
  return [...set(model.weights, before.weights), ...set(model.ema, before.ema)];
}
