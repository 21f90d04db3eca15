/**
 * Axes of an experiment: every combination of their values is a method.
 *
 *     "axes": {
 *       "network": { "linear": { "model": { "name": "linear" } }, "mlp": { "model": { "name": "mlp" } } },
 *       "optim.lr": [1e-3, 3e-4]
 *     }
 *
 * An axis is a name with labelled changes, as methods are, or a config key with a list of its values.
 *
 * @module
 */
import { isSection } from "./keys.ts";

/** Dotted keys, or whole sections, and their values. */
export type Changes = Readonly<Record<string, unknown>>;

/** A method of the grid. */
export interface GridMethod {
  readonly name: string;
  readonly changes: Changes;
  /**
   * The method that it is compared with: the first value of the first axis, and its own of all others.
   * Its own name where it is that method.
   */
  readonly base: string;
}

/** Makes the error of a rule that is broken. */
type Wrong = (what: string) => Error;

interface Value {
  readonly label: string;
  readonly changes: Changes;
}

/** What holds the methods' own changes among the axes. */
const METHODS = "methods";

/**
 * The methods of a grid: those named, times the values of every axis.
 *
 * @param methods Named changes; the first axis where given.
 * @throws What `wrong` makes, when a rule is broken.
 */
export function gridMethods(methods: unknown, axes: unknown, wrong: Wrong): GridMethod[] {
  if (axes !== undefined && (!isSection(axes) || Object.keys(axes).length === 0)) {
    throw wrong("axes must be an object with at least one axis");
  }
  const given = axes as Readonly<Record<string, unknown>> | undefined;
  if (methods === undefined && given === undefined) {
    throw wrong("methods must be an object with at least one method");
  }
  const table: [string, unknown][] = [
    ...methods === undefined ? [] : [[METHODS, methods] as [string, unknown]],
    ...Object.entries(given ?? {}),
  ];
  const lists = table.map(([axis, values]) => valuesOf(axis, values, wrong));
  const combined = lists.reduce<Value[][]>(
    (rows, values) => rows.flatMap((row) => values.map((value) => [...row, value])),
    [[]],
  );
  const nameOf = (row: readonly Value[]) => row.map(({ label }) => label).join("+");
  const names = combined.map(nameOf);
  const twice = names.find((name, i) => names.indexOf(name) !== i);
  if (twice !== undefined) {
    throw wrong(`methods must have names of their own, ${twice} is there twice`);
  }
  return combined.map((row) => ({
    name: nameOf(row),
    changes: Object.assign({}, ...row.map(({ changes }) => changes)),
    base: nameOf([lists[0]![0]!, ...row.slice(1)]),
  }));
}

function valuesOf(axis: string, values: unknown, wrong: Wrong): Value[] {
  const where = axis === METHODS ? METHODS : `axes.${axis}`;
  if (Array.isArray(values) && axis !== METHODS) {
    if (values.length === 0) throw wrong(`${where} must have at least one value`);
    return values.map((value) => ({
      label: labelOf(`${axis.split(".").at(-1)}-${plain(value)}`, wrong),
      changes: { [axis]: value },
    }));
  }
  if (!isSection(values) || Object.keys(values).length === 0) {
    throw wrong(
      axis === METHODS
        ? "methods must be an object with at least one method"
        : `${where} must be a list of values of that key, or an object of named changes`,
    );
  }
  return Object.entries(values).map(([label, changes]) => {
    if (!isSection(changes)) throw wrong(`${where}.${label} must be an object of dotted keys`);
    return { label: labelOf(label, wrong), changes };
  });
}

function plain(value: unknown): string {
  return typeof value === "string" ? value : JSON.stringify(value).replaceAll(/[^\w.+-]+/g, "_");
}

function labelOf(label: string, wrong: Wrong): string {
  if (/^[\w.+-]+$/.test(label)) return label;
  throw wrong(`a method's name must be letters, digits, . + - and _, got "${label}"`);
}
