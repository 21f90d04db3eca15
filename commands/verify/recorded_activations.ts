/**
 * Finds what a recorded module of another code base has given among what our layers give, by the
 * names of their parameters.
 *
 * @module
 */
import { Tensor } from "../../autograd/graph.ts";
import { add } from "../../autograd/ops/add.ts";
import { type Module, namedModules, namedParameters } from "../../model/module.ts";
import type { PytorchEntry } from "../../model/names/pytorch.ts";

/** What a layer of ours gave, and what it was given. */
interface Call {
  readonly path: string;
  readonly given: readonly unknown[];
  readonly gave: Tensor;
}

/** An activation of ours that stands for a recorded one. */
export interface Activation {
  readonly tensor: Tensor;
  /** What ours holds of a recorded value, where a kernel has gone on. */
  readonly of: (recorded: number) => number;
}

/** A layer with a method that gives a tensor. */
type Layer = Module & { forward(...given: unknown[]): unknown };

/** What is computed in one dispatch with a layer, as its options name it. */
interface Fused {
  readonly silu?: boolean;
  readonly residual?: unknown;
  readonly perImage?: unknown;
  readonly dropout?: number;
}

const same = (value: number) => value;
const silu = (value: number) => value / (1 + Math.exp(-value));

/** How layers of a code base differ from those that a kernel of ours computes. */
export interface LayerHabits {
  /** Whether what is not an image is `[N, tokens, channels]` there as here. */
  readonly tokens?: boolean;
  /**
   * Where a number after a layer's input is a factor on what it gives: what it makes of the recorded
   * module's output.
   */
  readonly factor?: (recorded: string, given: number) => number;
  /** Whether a recorded module adds its input to what ours gives. */
  readonly adds?: (recorded: string) => boolean;
}

/** Watches the layers of a network while a pass is recorded. */
export class Watch {
  readonly #calls = new Map<string, Call>();
  readonly #parameters: readonly string[];

  /** @param names Every entry of the network's `state_dict`. */
  constructor(
    network: Module,
    private readonly names: readonly PytorchEntry[],
    private readonly habits: LayerHabits,
  ) {
    this.#parameters = Array.from(namedParameters(network), ([name]) => name);
    for (const [path, module] of namedModules(network)) {
      if ("forward" in module) this.#follow(path, module as Layer);
    }
  }

  /** Forgets what earlier passes have given. */
  clear(): void {
    this.#calls.clear();
  }

  /** What stands for a recorded module's output; undefined where no dispatch of ours ends there. */
  find(recorded: string): Activation | undefined {
    const call = this.#callOf(recorded);
    if (!call) return undefined;
    const { given: [x, ...rest], gave } = call;
    const { adds, factor } = this.habits;
    if (adds?.(recorded)) {
      return x instanceof Tensor ? { tensor: add(gave, x), of: same } : undefined;
    }
    const fused = rest.find(isPlain) as Fused | undefined;
    if (fused?.residual || fused?.perImage || fused?.dropout) return undefined;
    if (factor) {
      const [given = 1, residual] = rest;
      const share = typeof given === "number" ? factor(recorded, given) : 1;
      return residual ? undefined : { tensor: gave, of: (value) => value * share };
    }
    return { tensor: gave, of: fused?.silu ? silu : same };
  }

  /** The last layer to end, of those whose parameters are all below the recorded name. */
  #callOf(recorded: string): Call | undefined {
    const below = new Set<string>();
    for (const entry of this.names) {
      if (entry.kind === "constant" || !entry.pytorchName.startsWith(`${recorded}.`)) continue;
      below.add(entry.name);
    }
    return [...this.#calls.values()].findLast(({ path }) => {
      const own = this.#parameters.filter((name) => name.startsWith(`${path}.`));
      return own.length > 0 && own.every((name) => below.has(name));
    });
  }

  #follow(path: string, module: Layer): void {
    const { forward } = module;
    module.forward = (...given) => {
      const gave = forward.apply(module, given);
      // A pass may ask its network twice; the first answer is the recorded one.
      if (gave instanceof Tensor && !this.#calls.has(path)) {
        this.#calls.set(path, { path, given, gave });
      }
      return gave;
    };
  }
}

function isPlain(value: unknown): boolean {
  return typeof value === "object" && value !== null &&
    Object.getPrototypeOf(value) === Object.prototype;
}
