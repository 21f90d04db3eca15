/**
 * Modules: plain classes whose parameters and children are properties, or arrays of them. Nothing is
 * registered; a parameter's name is the path of properties that leads to it.
 *
 * @module
 */
import { sizeOf } from "../device/tensor.ts";
import { Parameter } from "../autograd/parameter.ts";

/** Base of everything that holds parameters; it tells modules from other property values. */
export abstract class Module {}

/**
 * The parameters below a module with their dotted paths, as in `down.0.blocks.1.conv1.weight`, in the
 * order in which classes declare them. One that is reachable twice has its first name.
 *
 * @throws {TypeError} When a property that leads to a parameter has a dot in its name.
 */
export function* namedParameters(module: Module): Generator<[name: string, parameter: Parameter]> {
  for (const [name, value] of walk(module, "", new Set())) {
    if (value instanceof Parameter) yield [name, value];
  }
}

/** The modules below a module with their dotted paths, each before those below it. */
export function* namedModules(module: Module): Generator<[path: string, module: Module]> {
  for (const [path, value] of walk(module, "", new Set())) {
    if (value instanceof Module) yield [path, value];
  }
}

/**
 * Number of values below a module.
 *
 * @param learned Whether those alone count that the optimiser changes; not unless given.
 */
export function countParameters(module: Module, learned = false): number {
  let count = 0;
  for (const [, parameter] of namedParameters(module)) {
    if (parameter.learned || !learned) count += sizeOf(parameter.shape);
  }
  return count;
}

function* walk(
  node: Module | readonly unknown[],
  path: string,
  seen: Set<object>,
): Generator<[string, Parameter | Module]> {
  seen.add(node);
  for (const [key, value] of Object.entries(node)) {
    const leads = value instanceof Parameter || value instanceof Module || Array.isArray(value);
    if (!leads || seen.has(value)) continue;
    if (key.includes(".")) {
      throw new TypeError(
        `Cannot name the parameters of ${node.constructor.name}: a property's name must have no dot, got ${
          JSON.stringify(key)
        }`,
      );
    }
    const name = path ? `${path}.${key}` : key;
    if (value instanceof Parameter) {
      seen.add(value);
      yield [name, value];
    } else {
      if (value instanceof Module) yield [name, value];
      yield* walk(value, name, seen);
    }
  }
}
