/**
 * Memory of a network's parameters: arenas of one layout for weights, gradients, moments and
 * averages, their initial values, and the slots through which a graph sees them.
 *
 * @module
 */
import type { ParameterSlot } from "../autograd/graph.ts";
import type { Parameter } from "../autograd/parameter.ts";
import { Arena } from "../device/arena.ts";
import type { Gpu } from "../device/gpu.ts";
import { formatShape, sizeOf } from "../device/tensor.ts";
import { initialRandom } from "./init.ts";
import { namedLoras } from "./lora.ts";
import { type Module, namedParameters } from "./module.ts";

/** Values by parameter name. */
export type NamedValues = Iterable<readonly [name: string, values: Float32Array<ArrayBuffer>]>;

/**
 * An arena of zeros with a tensor for each parameter, under its own name; what is not learned lies apart.
 * Arenas of one module have one layout.
 *
 * @param label Name in errors, as in "weights" or "first moments".
 * @throws {RangeError} When a parameter is larger than the device's largest binding.
 */
export function createArena(gpu: Gpu, label: string, module: Module): Arena {
  const entries = Array.from(
    namedParameters(module),
    ([name, { shape, learned }]) => ({ name, shape, apart: !learned }),
  );
  return Arena.create(gpu, label, entries);
}

/**
 * What a graph needs to use a module's parameters, with what low-rank additions make of weights.
 *
 * @param values The weights, or their average.
 * @param grads Where gradients of what is learned go; without it none is computed.
 * @throws {RangeError} When an arena lacks a parameter.
 */
export function parameterSlots(
  module: Module,
  values: Arena,
  grads?: Arena,
): Map<Parameter, ParameterSlot> {
  const slots = new Map<Parameter, ParameterSlot>();
  for (const [name, parameter] of namedParameters(module)) {
    const value = values.get(name);
    slots.set(parameter, grads && parameter.learned ? { value, grad: grads.get(name) } : { value });
  }
  for (const [, lora] of namedLoras(module)) {
    const slot = slots.get(lora.weight)!;
    slots.set(lora.weight, { ...slot, derive: (own) => lora.adapted(own) });
  }
  return slots;
}

/**
 * Initial values one parameter after the other, which depend on the seed alone.
 *
 * @param seed 0 to 2^53 - 1.
 * @throws {RangeError} For any other seed.
 */
export function* initialValues(
  module: Module,
  seed: number,
): Generator<[name: string, values: Float32Array<ArrayBuffer>]> {
  let index = 0;
  for (const [name, parameter] of namedParameters(module)) {
    const values = new Float32Array(sizeOf(parameter.shape));
    parameter.init(values, initialRandom(seed, index++));
    yield [name, values];
  }
}

/**
 * Writes values into every tensor of one or more arenas.
 *
 * @param values Each tensor's values once, in any order.
 * @throws {RangeError} When a name is unknown, repeated or missing, or a size differs.
 */
export function writeArenas(gpu: Gpu, arenas: readonly Arena[], values: NamedValues): void {
  const written = new Set<string>();
  for (const [name, data] of values) {
    if (written.has(name)) {
      throw new RangeError(`Cannot write parameters: ${name} must be given once, got it twice`);
    }
    written.add(name);
    for (const arena of arenas) gpu.write(arena.get(name), data);
  }
  for (const arena of arenas) {
    for (const [name, { shape }] of arena.tensors) {
      if (written.has(name)) continue;
      throw new RangeError(
        `Cannot write parameters: ${name} of shape ${formatShape(shape)} must be given`,
      );
    }
  }
}

/** Reads an arena back, tensor by tensor, after all submitted work. */
export async function* readArena(
  gpu: Gpu,
  arena: Arena,
): AsyncGenerator<[name: string, values: Float32Array<ArrayBuffer>]> {
  for (const [name, tensor] of arena.tensors) yield [name, await gpu.readF32(tensor)];
}
