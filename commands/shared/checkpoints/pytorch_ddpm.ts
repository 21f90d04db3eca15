/**
 * Checkpoints of w86763777/pytorch-ddpm: `net_model`, `ema_model`, `optim`, `sched`, `step`, `x_T`.
 * A bare state_dict of its network is taken too, whatever words wrappers have put before its names.
 *
 * @module
 */
import type { Override } from "../../../config/load.ts";
import { parseConfig } from "../../../config/load.ts";
import { type DataOptions, setKind } from "../../../data/options.ts";
import type { StoredTensor } from "../../../formats/safetensors.ts";
import {
  checkTensors,
  fromPytorch,
  type PytorchEntry,
  type PytorchParameter,
  toPytorch,
} from "../../../model/names/pytorch.ts";
import {
  PYTORCH_DDPM,
  pytorchNames,
  TIME_TABLE,
} from "../../../model/networks/ho2020/names/pytorch_ddpm.ts";
import { pytorchDdpmOptions } from "../../../model/networks/ho2020/names/pytorch_ddpm_options.ts";
import type { UNetOptions } from "../../../model/networks/ho2020/options.ts";
import { sinusoidTable } from "../../../model/time_embedding.ts";
import type { Network } from "../../../model/network.ts";
import { UNet } from "../../../model/networks/ho2020/unet.ts";
import { UsageError } from "../../../support/errors.ts";
import { toF32 } from "./floats.ts";
import type { Flags } from "./flagfile.ts";
import {
  type ExtraTensor,
  knownElsewhere,
  type ParameterReader,
  type PortableModel,
  portableNetwork,
} from "./portable.ts";
import type { LazyTensor, Source, SourceTensor } from "./source.ts";
import { describeWeights, findWeights, groupsOf } from "./weight_sets.ts";

/** Averaging in f32 lets that code's copy of the table drift by up to 6e-4. */
const TABLE_TOLERANCE = 5e-3;

type Tensors = ReadonlyMap<string, SourceTensor>;

/** What a checkpoint does not tell. */
export interface ImportOptions {
  /** The flags that it was trained with. */
  readonly flags: Flags;
  readonly overrides: readonly Override[];
  /** What the names of the wanted network begin with, where a file has several. */
  readonly prefix?: string | undefined;
  /** Receives lines on what was found. */
  readonly say?: (line: string) => void;
}

/**
 * Takes a checkpoint over.
 *
 * @throws {RangeError} When a tensor is missing, unknown or of another shape, or the optimiser's
 *   state does not fit the network.
 * @throws {UsageError} When the options make no config.
 */
export function importPytorchDdpm(source: Source, options: ImportOptions): PortableModel {
  const found = findWeights(source, TIME_TABLE, options.prefix);
  const { raw: net, ema } = found;
  const { options: told, shape } = pytorchDdpmOptions(net.tensors);
  const model = withGroups(told, source, options.overrides);
  const optimizer = readOptimizer(source);
  const tree = {
    data: dataOptions(source, shape.channels, options.flags),
    model: { ...model, ...options.flags.model },
    diffusion: { timesteps: shape.timesteps, schedule: "linear-torch", ...options.flags.diffusion },
    optim: { ...options.flags.optim, ...optimizer?.options },
    train: { ...options.flags.train },
  };
  const { path } = source;
  const config = parseConfig(JSON.stringify(tree), { path, overrides: options.overrides });
  const network = unetOf(portableNetwork(config), config.model.name);
  const entries = pytorchNames(network);
  for (const { tensors } of [net, ema]) {
    checkTensors(PYTORCH_DDPM.title, entries, tensors);
    checkTable(network, tensors);
  }
  const parameters = new Map(
    entries.flatMap((entry) => entry.kind === "parameter" ? [[entry.name, entry] as const] : []),
  );
  const reader = (tensorOf: (entry: PytorchParameter) => SourceTensor | undefined) =>
    parameterReader(parameters, tensorOf);
  options.say?.(`Recognised w86763777/pytorch-ddpm: ${describeWeights(found)}`);
  const left = found.others.filter((name) => name !== "x_T" && !/^optim\.state\./.test(name));
  if (left.length > 0) options.say?.(`note: left out: ${groupsOf(left)}`);
  const named = ({ tensors }: typeof net) => reader((entry) => tensors.get(entry.pytorchName));
  const index = optimizerIndices(source, entries);
  const moment = (key: string) =>
    reader((entry) => source.tensors.get(`optim.state.${index.get(entry.pytorchName)}.${key}`));
  if (optimizer) checkMoments(source.tensors, entries.length, parameters.size);
  return {
    config,
    network,
    step: optimizer?.step ?? 0,
    weights: named(net),
    ema: named(ema),
    moments: optimizer ? [moment("exp_avg"), moment("exp_avg_sq")] : null,
    extras: [
      extra(`net_model.${TIME_TABLE}`, net.tensors.get(TIME_TABLE)),
      extra(`ema_model.${TIME_TABLE}`, ema.tensors.get(TIME_TABLE)),
      extra("x_T", source.tensors.get("x_T")),
    ].flat(),
  };
}

/** Where a file that {@linkcode exportPytorchDdpm} wrote says what no shape tells. */
const GROUPS_FACT = "model.groups";

/** What it says of the data, under the same names; where the files lie is of no use elsewhere. */
const DATA_FACTS = ["name", "size", "resize", "flip"] as const;

/**
 * The options with the number of groups that the file tells of, if it is one of ours.
 *
 * @throws {UsageError} When nothing tells it and that code's own number cannot be.
 */
function withGroups(
  found: UNetOptions,
  { path, facts }: Source,
  overrides: readonly Override[],
): UNetOptions {
  const told = facts.get(GROUPS_FACT);
  if (typeof told === "number") return { ...found, groups: told };
  const { channels, groups } = found;
  const given = overrides.some(([key]) => key === GROUPS_FACT || key === "model");
  if (given || channels % groups === 0) return found;
  throw new UsageError(
    `Cannot tell the groups of the network in ${path}: a PyTorch state_dict does not hold them, ` +
      `and those of w86763777/pytorch-ddpm, ${groups}, do not divide its ${channels} channels; ` +
      `give the number that it was trained with by --${GROUPS_FACT}=N`,
  );
}

function parameterReader(
  parameters: ReadonlyMap<string, PytorchParameter>,
  tensorOf: (entry: PytorchParameter) => SourceTensor | undefined,
): ParameterReader {
  return (name) => {
    const entry = parameters.get(name), tensor = entry && tensorOf(entry);
    if (!entry || !tensor) {
      return Promise.reject(new RangeError(`Cannot convert: ${name} must be in the checkpoint`));
    }
    const data = toF32(tensor.read());
    return Promise.resolve(fromPytorch(entry, { shape: tensor.shape, data }));
  };
}

function extra(name: string, tensor: SourceTensor | undefined): ExtraTensor[] {
  if (!tensor) return [];
  return [{ name, shape: tensor.shape, read: () => Promise.resolve(toF32(tensor.read())) }];
}

function checkTable({ timeEmbedding }: UNet, tensors: Tensors): void {
  const own = sinusoidTable(timeEmbedding.timesteps, timeEmbedding.channels);
  const theirs = toF32(tensors.get(TIME_TABLE)!.read());
  const wrong = theirs.findIndex((value, i) => !(Math.abs(value - own[i]!) <= TABLE_TOLERANCE));
  if (wrong < 0) return;
  throw new RangeError(
    `Cannot read ${PYTORCH_DDPM.title}: ${TIME_TABLE} must hold sinusoids, element ${wrong} must ` +
      `be ${own[wrong]}, got ${theirs[wrong]}`,
  );
}

/** Numbers of tensors in the optimiser; it counts the frozen table unless it never got it. */
function optimizerIndices({ facts }: Source, entries: readonly PytorchEntry[]) {
  const numbers = facts.get("optim.param_groups.0.params");
  const learned = entries.filter(({ kind }) => kind === "parameter");
  const counted = Array.isArray(numbers) && numbers.length === learned.length ? learned : entries;
  return new Map(counted.map(({ pytorchName }, i) => [pytorchName, i]));
}

function checkMoments(tensors: Tensors, all: number, learned: number): void {
  const found = [...tensors.keys()].filter((name) => /^optim\.state\.\d+\.exp_avg$/.test(name));
  if (found.length === learned) return;
  throw new RangeError(
    `Cannot read the optimiser's state: it must have moments of ${learned} of ${all} tensors, got ${found.length}`,
  );
}

/** Completed steps and options of the optimiser; null where the file has no state of it. */
function readOptimizer({ tensors, facts }: Source) {
  const steps = new Set<number>();
  for (const [name, tensor] of tensors) {
    if (/^optim\.state\.\d+\.step$/.test(name)) steps.add(toF32(tensor.read())[0] ?? NaN);
  }
  for (const [name, value] of facts) {
    if (/^optim\.state\.\d+\.step$/.test(name)) steps.add(Number(value));
  }
  if (steps.size === 0) return null;
  const [step = NaN] = steps;
  if (steps.size > 1 || !Number.isSafeInteger(step) || step < 0) {
    throw new RangeError(
      `Cannot read the optimiser's state: all its tensors must have done the same number of steps, got ${
        [...steps].slice(0, 3).join(" and ")
      }`,
    );
  }
  const group = (key: string) => facts.get(`optim.param_groups.0.${key}`);
  const rates = facts.get("sched.base_lrs");
  const lr = Array.isArray(rates) ? rates[0] : group("initial_lr") ?? group("lr");
  const found = {
    lr,
    betas: group("betas"),
    eps: group("eps"),
    weightDecay: group("weight_decay"),
    warmupSteps: warmupSteps(facts, lr, step),
  };
  return { step, options: withoutUndefined(found) };
}

/**
 * Steps of warm-up as far as the schedule tells: while it lasts the rate is base * k / warmup; once
 * it is over any number up to k gives the same future.
 */
function warmupSteps(
  facts: ReadonlyMap<string, unknown>,
  base: unknown,
  step: number,
): number | undefined {
  const rates = facts.get("sched._last_lr");
  const last: unknown = Array.isArray(rates) ? rates[0] : facts.get("optim.param_groups.0.lr");
  if (typeof base !== "number" || typeof last !== "number" || step === 0 || last <= 0) {
    return undefined;
  }
  // The default of that code, where it fits.
  return last < base ? Math.round(base * step / last) : Math.min(step, 5000);
}

function withoutUndefined<T extends object>(object: T): Partial<T> {
  return Object.fromEntries(
    Object.entries(object).filter(([, value]) => value !== undefined),
  ) as Partial<T>;
}

/**
 * The data as a file of ours tells of it, for the config to check. That code knows CIFAR-10 alone; its
 * network has been used for MNIST as well.
 */
function dataOptions({ tensors, facts }: Source, channels: number, { size: flagged }: Flags) {
  const name = channels === 3 ? "cifar10" : "mnist";
  const [, , side = flagged ?? (channels === 3 ? 32 : 28)] = tensors.get("x_T")?.shape ?? [];
  const native = setKind(name).shape.size;
  if (channels !== setKind(name).shape.channels) {
    throw new RangeError(
      `Cannot convert: the network's images must have 1 or 3 channels, got ${channels}`,
    );
  }
  if (facts.has("data.name")) {
    const told = DATA_FACTS.map((key) => [key, facts.get(`data.${key}`)] as const);
    return { ...Object.fromEntries(told), channels, synthetic: { channels } };
  }
  return {
    name,
    size: side === native ? null : side,
    resize: side > native ? "pad" : "area",
    flip: name === "cifar10",
  };
}

/** Which weights to write: all, or one set under the network's own names. */
export type WeightsChoice = "all" | "ema" | "raw";

/**
 * The tensors of a checkpoint under that code's names: with `all`, everything it keeps, as
 * `net_model.head.weight`; else one state_dict, as `head.weight`. The metadata tells the groups, which
 * are always the same in that code, and the data.
 */
export function exportPytorchDdpm(
  model: PortableModel,
  choice: WeightsChoice,
): { tensors: [string, LazyTensor][]; metadata: Record<string, string> } {
  const network = unetOf(model.network, model.config.model.name);
  if (network.classEmbedding) {
    throw new RangeError(
      `Cannot write ${PYTORCH_DDPM.title}: model.classes must be 0, as it knows no classes; --to ` +
        "diffusers can be written",
    );
  }
  const metadata = {
    format: "pt",
    step: `${Math.max(0, model.step - 1)}`,
    [GROUPS_FACT]: `${network.options.groups}`,
    ...dataFacts(model.config.data),
  };
  if (choice !== "all") {
    const set = choice === "ema" ? "ema_model" : "net_model";
    return { tensors: [...stateDict(network, model, set, "")], metadata };
  }
  const tensors = [
    ...stateDict(network, model, "net_model", "net_model."),
    ...stateDict(network, model, "ema_model", "ema_model."),
    ...optimizerState(network, model),
  ];
  for (const { name, shape, read } of model.extras) {
    if (name === "x_T") tensors.push([name, f32(shape, read)]);
  }
  return { tensors, metadata };
}

/** The network as that code has it. */
function unetOf(network: Network, name: string): UNet {
  if (network instanceof UNet) return network;
  const others = knownElsewhere("diffusers").includes(name)
    ? "; --to diffusers can be written"
    : "";
  throw new RangeError(
    `Cannot write ${PYTORCH_DDPM.title}: model.name must be ho2020, got ${name}${others}`,
  );
}

/** Nothing for a mix, which is more than its name: its parts must be given again. */
function dataFacts(data: DataOptions): Record<string, string> {
  if (data.name === "mix") return {};
  return Object.fromEntries(DATA_FACTS.map((key) => [`data.${key}`, `${data[key]}`]));
}

function* stateDict(
  network: UNet,
  { weights, ema, extras }: PortableModel,
  set: "net_model" | "ema_model",
  prefix: string,
): Generator<[string, LazyTensor]> {
  const read = set === "ema_model" ? ema : weights;
  const kept = extras.find(({ name }) => name === `${set}.${TIME_TABLE}`);
  for (const entry of pytorchNames(network)) {
    const { pytorchName, pytorchShape } = entry;
    const values = entry.kind === "constant"
      ? kept?.read ?? (() => {
        const { timesteps, channels } = network.timeEmbedding;
        return Promise.resolve(sinusoidTable(timesteps, channels));
      })
      : async () => toPytorch(entry, await read(entry.name)).data;
    yield [`${prefix}${pytorchName}`, f32(pytorchShape, values)];
  }
}

function* optimizerState(
  network: UNet,
  { step, moments }: PortableModel,
): Generator<[string, LazyTensor]> {
  if (!moments) return;
  for (const [i, entry] of pytorchNames(network).entries()) {
    if (entry.kind === "constant") continue;
    const path = `optim.state.${i}`;
    yield [`${path}.step`, f32([], () => Promise.resolve(Float32Array.of(step)))];
    for (const [part, key] of ["exp_avg", "exp_avg_sq"].entries()) {
      const read = moments[part as 0 | 1];
      const values = async () => toPytorch(entry, await read(entry.name)).data;
      yield [`${path}.${key}`, f32(entry.pytorchShape, values)];
    }
  }
}

function f32(
  shape: readonly number[],
  read: () => Promise<Float32Array<ArrayBuffer>>,
): LazyTensor {
  const tensor = async (): Promise<StoredTensor> => ({ dtype: "F32", shape, data: await read() });
  return { dtype: "F32", shape, read: tensor };
}
