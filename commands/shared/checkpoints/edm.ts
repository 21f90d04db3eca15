/**
 * Snapshots of NVlabs/edm and NVlabs/edm2: a pickle that holds a preconditioner, averaged, whose
 * arguments say which network it is.
 *
 * @module
 */
import { type Override, parseConfig } from "../../../config/load.ts";
import { setKind } from "../../../data/options.ts";
import { PickleDict, PickleMark, PickleTuple } from "../../../formats/pickle_values.ts";
import type { PtDict, PtMark, PtValue } from "../../../formats/pt.ts";
import {
  type EdmDescription,
  fromEdmArguments,
  type PythonArguments,
} from "../../../model/networks/edm/arguments.ts";
import { edmNames } from "../../../model/networks/edm/names.ts";
import { EdmUNet } from "../../../model/networks/edm/unet.ts";
import { type Edm2Description, fromEdm2Arguments } from "../../../model/networks/edm2/arguments.ts";
import { edm2Names } from "../../../model/networks/edm2/names.ts";
import { Edm2UNet } from "../../../model/networks/edm2/unet.ts";
import { checkTensors, fromPytorch, type PytorchEntry } from "../../../model/names/pytorch.ts";
import type { Network } from "../../../model/network.ts";
import { UsageError } from "../../../support/errors.ts";
import { toF32 } from "./floats.ts";
import { type PortableModel, portableNetwork } from "./portable.ts";
import type { Source, SourceTensor } from "./source.ts";

/** A preconditioner in a snapshot. */
export interface EdmSnapshot {
  /** Key of the pickled dict that it is under; "" where it was pickled alone. */
  readonly key: string;
  /** Name of its class. */
  readonly precond: string;
  /** What its constructor was given, by name. */
  readonly args: PythonArguments;
}

/** Processes by the class around the network. */
const PROCESSES: Readonly<Record<string, Readonly<Record<string, unknown>>>> = {
  EDMPrecond: { schedule: "karras", target: "edm", weighting: "edm" },
  VPPrecond: { schedule: "vp", target: "epsilon" },
  VEPrecond: {
    ...{ schedule: "ve", target: "minus-epsilon" },
    scheduleOptions: { sigmaMin: 0.02, sigmaMax: 100 },
  },
  iDDPMPrecond: { schedule: "iddpm", target: "scaled-epsilon" },
  // EDM2's.
  Precond: { schedule: "karras", target: "edm", weighting: "edm" },
};

/** The preconditioner of a pickled snapshot; null where there is none. */
export function edmSnapshot({ pickled }: Pick<Source, "pickled">): EdmSnapshot | null {
  if (pickled === undefined) return null;
  const places: [string, PtValue | undefined][] = pickled instanceof PickleDict
    ? ["ema", "net"].map((key) => [key, pickled.get(key)])
    : [["", pickled]];
  for (const [key, value] of places) {
    if (!(value instanceof PickleMark) || !Object.hasOwn(PROCESSES, value.name)) continue;
    const state = value.state;
    if (!(state instanceof PickleDict)) continue;
    return { key, precond: value.name, args: argumentsOf(value, state) };
  }
  return null;
}

/** Arguments by name; these classes are never given others. */
function argumentsOf({ name }: PtMark, state: PtDict): PythonArguments {
  const given = state.get("_init_kwargs");
  const dict = given instanceof PickleMark ? given.items : given;
  if (!(dict instanceof PickleDict)) {
    throw new SyntaxError(`Cannot read a snapshot of EDM: ${name} must tell its arguments`);
  }
  return Object.fromEntries(Array.from(dict, ([key, value]) => [`${key}`, plain(value)]));
}

function plain(value: PtValue): unknown {
  if (value instanceof PickleTuple) return value.items.map(plain);
  return Array.isArray(value) ? value.map(plain) : value;
}

/**
 * Takes a snapshot over: its averaged weights become both the weights and their average, and there is
 * no optimiser state.
 *
 * @throws {RangeError} When a tensor is missing, unknown or of another shape, or the network is none
 *   of theirs.
 * @throws {UsageError} When the options make no config.
 */
export function importEdm(
  source: Source,
  { key, precond, args }: EdmSnapshot,
  { overrides, say = () => {} }: {
    readonly overrides: readonly Override[];
    readonly say?: (line: string) => void;
  },
): PortableModel {
  const described = precond === "Precond"
    ? fromEdm2Arguments(args)
    : fromEdmArguments(precond, args);
  const config = parseConfig(JSON.stringify(configTree(precond, args, described)), {
    path: source.path,
    overrides,
  });
  const network = portableNetwork(config);
  const prefix = key === "" ? "" : `${key}.`;
  const tensors = new Map<string, SourceTensor>();
  for (const [name, tensor] of source.tensors) {
    if (name.startsWith(prefix)) tensors.set(name.slice(prefix.length), tensor);
  }
  const entries = namesOf(network, tensors);
  checkTensors(`a snapshot of ${precond}`, entries, tensors);
  say(
    `Recognised ${precond === "Precond" ? "NVlabs/edm2" : "NVlabs/edm"}: averaged weights of a ` +
      `${precond}`,
  );
  const byName = new Map(
    entries.flatMap((entry) => entry.kind === "parameter" ? [[entry.name, entry] as const] : []),
  );
  const read = (name: string) => {
    const entry = byName.get(name)!, tensor = tensors.get(entry.pytorchName)!;
    return Promise.resolve(
      fromPytorch(entry, { shape: tensor.shape, data: toF32(tensor.read()) }),
    );
  };
  return { config, network, step: 0, weights: read, ema: read, moments: null, extras: [] };
}

function namesOf(network: Network, tensors: ReadonlyMap<string, SourceTensor>): PytorchEntry[] {
  if (network instanceof Edm2UNet) return edm2Names(network);
  if (!(network instanceof EdmUNet)) {
    throw new UsageError("Cannot take a snapshot of EDM over: model.name must be edm or edm2");
  }
  const levels = tensors.get("u");
  return edmNames(
    network,
    levels ? [{ kind: "constant", pytorchName: "u", pytorchShape: levels.shape }] : [],
  );
}

/** The config of a run with such a network, sampled as its authors do with as few steps. */
function configTree(
  precond: string,
  args: PythonArguments,
  { options, shape }: EdmDescription | Edm2Description,
): Record<string, unknown> {
  const { height: side, channels } = shape;
  if (channels !== 1 && channels !== 3) {
    throw new UsageError(
      `Cannot take a snapshot of EDM over: its images must have 1 or 3 channels, got ${channels}; ` +
        "--raw takes the tensors under their own names",
    );
  }
  const name = channels === 1 ? "mnist" : "cifar10";
  const { size } = setKind(name).shape;
  const { sigma_data: sigmaData } = args;
  return {
    data: {
      name,
      size: side === size ? null : side,
      resize: Math.max(...[size].flat()) < side ? "pad" : "area",
    },
    model: options,
    diffusion: {
      ...PROCESSES[precond],
      ...typeof sigmaData === "number" ? { sigmaData } : {},
      sampler: { name: "ddim", steps: 40, eta: 0 },
    },
  };
}
