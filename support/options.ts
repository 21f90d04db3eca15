/**
 * The language in which a room describes its options: what a key may be, what it is by default and
 * what it means, written once. The TypeScript type, the check of a config, its defaults, the JSON
 * Schema, completion and command-line options are all made from that one description.
 *
 *     export const SMOOTHING = section("Smoothing of curves", {
 *       width: option(integer({ min: 1 }), 5, "Points of the window"),
 *       edges: option(choice(["repeat", "mirror"]), "repeat", "What lies beyond the ends"),
 *       until: option(nullable(integer({ min: 0 })), null, "Last step smoothed; null = all"),
 *     }, { checks: [widthIsOdd] });
 *
 *     export type SmoothingOptions = OptionsOf<typeof SMOOTHING>;
 *
 * where a check looks at several keys together, after each was found to be in its own rule:
 *
 *     const widthIsOdd: Check<{ width: number; edges: string }> = ({ width, edges }, at) =>
 *       edges !== "mirror" || width % 2 === 1
 *         ? null
 *         : { key: "width", rule: `be odd where ${at("edges")} is mirror` };
 *
 * Things chosen by name are records in a table, each in its own file, and a record may have options
 * of its own:
 *
 *     // median.ts
 *     const OPTIONS = { width: option(integer({ min: 1 }), 5, "Points of the window") };
 *     export const MEDIAN = {
 *       options: OPTIONS,
 *       smooth: (values: number[], { width }: OptionsOf<typeof OPTIONS>) => ...,
 *     };
 *
 *     // smoothers.ts
 *     export const SMOOTHERS = { none: NONE, median: MEDIAN };
 *     export const SMOOTHER = byName("Smoothing of curves", SMOOTHERS, {
 *       name: "none",
 *       about: "How curves are smoothed",
 *     });
 *
 * {@linkcode byName} allows the options of the record that `name` picks and no others, so that its
 * type is a union told apart by `name`. {@linkcode sideBySide} has those of all records in one
 * section at any time, so that another name can be tried without taking keys out. `choice(TABLE)`
 * takes the names of a table where no record has options.
 *
 * A record's functions take the type of its own OPTIONS, never that of the whole table: the table's
 * type is made from its records. Types made from values are what the lint rule no-slow-types is
 * against, so it is off.
 *
 * @module
 */

declare const VALUE: unique symbol;

/** Carries the type of the values that a rule allows; there is nothing at run time. */
interface Allows<T> {
  readonly [VALUE]?: () => T;
}

/** Limits of a number: inclusive ones, and ones that are not reached. */
export interface Limits {
  readonly min?: number;
  readonly max?: number;
  readonly above?: number;
  readonly below?: number;
}

/** A rule as data. */
export type AnyRule =
  | {
    readonly kind: "number";
    readonly whole: boolean;
    readonly limits: Limits;
    /** Whether a config may give it as a length of time in steps, epochs or images. */
    readonly isDuration?: boolean;
  }
  | { readonly kind: "flag" }
  | {
    readonly kind: "text";
    readonly isPath?: boolean;
    /** A regular expression that the whole must match, and in words what that is: "hf:OWNER/NAME". */
    readonly form?: { readonly pattern: string; readonly words: string };
  }
  | { readonly kind: "choice"; readonly values: readonly (string | number)[] }
  | { readonly kind: "list"; readonly item: AnyRule; readonly fewest: number }
  | { readonly kind: "pair"; readonly item: AnyRule }
  | { readonly kind: "nullable"; readonly rule: AnyRule }
  | { readonly kind: "either"; readonly rules: readonly AnyRule[]; readonly words: string };

/** What a value may be. */
export type Rule<T> = AnyRule & Allows<T>;

/** A whole number that a double holds exactly. */
export function integer(limits: Pick<Limits, "min" | "max"> = {}): Rule<number> {
  return { kind: "number", whole: true, limits };
}

/** A number of steps, which a config may also give as "5 epochs", "300k images" or "200 steps". */
export function steps(limits: Pick<Limits, "min" | "max"> = {}): Rule<number> {
  return { kind: "number", whole: true, limits, isDuration: true };
}

/** A finite number. */
export function decimal(limits: Limits = {}): Rule<number> {
  return { kind: "number", whole: false, limits };
}

/** True or false. */
export function flag(): Rule<boolean> {
  return { kind: "flag" };
}

/** A string of at least one character. */
export function text(): Rule<string> {
  return { kind: "text" };
}

/** A string that a regular expression matches; `words` tell it in an error. */
export function formed<T extends string>(pattern: string, words: string): Rule<T> {
  return { kind: "text", form: { pattern, words } };
}

/** The path of a file or folder, in which a leading `~/` is the home folder. */
export function path(): Rule<string> {
  return { kind: "text", isPath: true };
}

/** One of a list of values, or of the names in a table. */
export function choice<const V extends readonly (string | number)[]>(values: V): Rule<V[number]>;
export function choice<T extends Readonly<Record<string, unknown>>>(
  table: T,
): Rule<keyof T & string>;
export function choice(
  values: readonly (string | number)[] | Readonly<Record<string, unknown>>,
): AnyRule {
  return {
    kind: "choice",
    values: Array.isArray(values) ? values : Object.keys(values),
  };
}

/** A list of any length from `fewest` on. */
export function list<T>(item: Rule<T>, fewest: 0 | 1 = 1): Rule<T[]> {
  return { kind: "list", item, fewest };
}

/** A list of two. */
export function pair<T>(item: Rule<T>): Rule<[T, T]> {
  return { kind: "pair", item };
}

/** What a rule allows, or null. */
export function nullable<T>(rule: Rule<T>): Rule<T | null> {
  return { kind: "nullable", rule };
}

/** What either of two rules allows; `words` tell it in an error, as "true, false or blocks". */
export function either<A, B>(a: Rule<A>, b: Rule<B>, words: string): Rule<A | B> {
  return { kind: "either", rules: [a, b], words };
}

/** One key of a config. */
export interface Option<T> {
  readonly kind: "option";
  readonly rule: Rule<T>;
  readonly initial: T;
  readonly about: string;
}

/**
 * Describes a key.
 *
 * @param initial Its value where a config says nothing.
 * @param about What it means, for errors, editors and completion: one line, without a full stop.
 */
export function option<T>(rule: Rule<T>, initial: NoInfer<T>, about: string): Option<T> {
  return { kind: "option", rule, initial, about };
}

/** A rule between keys that is broken: "<key> must <rule>, got <value>; <hint>". */
export interface BrokenRule {
  /** The key to blame, from the section on: "sampler.steps". */
  readonly key: string;
  readonly rule: string;
  /** What to do about it. */
  readonly hint?: string;
  /** The value that breaks the rule, if it is not the key's own. */
  readonly got?: unknown;
}

/** The name of a section's key as the user writes it: "groups" may be "model.groups". */
export type KeyNames = (key: string) => string;

/** A rule between the keys of a section. */
export type Check<O> = (options: O, at: KeyNames) => BrokenRule | null;

/** What is allowed, but seldom meant: a sentence. */
export type Warning<O> = (options: O, at: KeyNames) => string | null;

/** Rules between keys. */
export interface KeyRules<O> {
  readonly checks?: readonly Check<O>[];
  readonly warnings?: readonly Warning<O>[];
}

/** Keys by name. */
export interface FieldTable {
  readonly [key: string]: Field;
}

/** Several keys below one. */
export interface Section<F extends FieldTable = FieldTable> extends KeyRules<never> {
  readonly kind: "section";
  readonly about: string;
  readonly fields: F;
}

/** What can be chosen by name, with options of its own. */
export interface Alternative extends KeyRules<never> {
  readonly options?: FieldTable;
}

/** Alternatives by name. */
export type Alternatives = Readonly<Record<string, Alternative>>;

/** Alternatives that have the keys of `S` besides their own. */
export type WithOptions<A, S> = {
  readonly [N in keyof A]: A[N] extends { readonly options: infer F }
    ? Omit<A[N], "options"> & { readonly options: F & S }
    : A[N];
};

/** Adds keys to the options of every alternative. */
export function withOptions<A extends Alternatives, S extends FieldTable>(
  alternatives: A,
  shared: S,
): WithOptions<A, S> {
  return Object.fromEntries(
    Object.entries(alternatives).map(([name, alternative]) => [
      name,
      { ...alternative, options: { ...alternative.options, ...shared } },
    ]),
  ) as unknown as WithOptions<A, S>;
}

/** A section whose keys depend on its key `name`. */
export interface Named<A extends Alternatives = Alternatives> {
  readonly kind: "named";
  readonly about: string;
  readonly name: Option<keyof A & string>;
  readonly alternatives: A;
}

/** What a key of a description can be. */
// deno-lint-ignore no-explicit-any -- an option of any type, whose default is both read and given
export type Field = Option<any> | Section | Named<any>;

type OwnOptions<A> = A extends { readonly options: infer F } ? OptionsOf<F> : unknown;
type Flat<T> = { [K in keyof T]: T[K] };

/**
 * The type of the values that a description allows, all keys given.
 *
 * @internal
 */
export type OptionsOf<F> = F extends { readonly kind: "option"; readonly rule: Allows<infer T> } ? T
  : F extends { readonly kind: "section"; readonly fields: infer G } ? OptionsOf<G>
  : F extends { readonly kind: "named"; readonly alternatives: infer A }
    ? { [N in keyof A]: Flat<{ name: N } & OwnOptions<A[N]>> }[keyof A]
  : { -readonly [K in keyof F]: OptionsOf<F[K]> };

/** The description of options whose type is written elsewhere: `satisfies Fields<O>`. */
export type Fields<O> = {
  readonly [K in keyof O]-?:
    | Option<O[K]>
    | ([O[K]] extends [object] ? Section<Fields<O[K]> & FieldTable> : never);
};

/** Describes keys that belong together. */
export function section<const F extends FieldTable>(
  about: string,
  fields: F,
  { checks = [], warnings = [] }: KeyRules<OptionsOf<F>> = {},
): Section<F> {
  return { kind: "section", about, fields, checks, warnings };
}

/** How the key `name` of a section is described. */
export interface NameOption<N> {
  /** The name where a config says none. */
  readonly name: N;
  readonly about: string;
}

/** A section with the key `name`, which picks a record of a table, and the options of that one. */
export function byName<const A extends Alternatives>(
  about: string,
  alternatives: A,
  { name, about: aboutName }: NameOption<NoInfer<keyof A & string>>,
): Named<A> {
  return {
    kind: "named",
    about,
    name: option(choice(alternatives), name, aboutName),
    alternatives,
  };
}

type Intersection<U> = (U extends unknown ? (u: U) => void : never) extends (i: infer I) => void ? I
  : never;
type AllOptions<A> = Intersection<
  { [N in keyof A]: A[N] extends { readonly options: infer F } ? F : never }[keyof A]
>;

/**
 * The `shared` options and then those of all records of a table, in one section; an option that several
 * have is one value that they share.
 *
 * @throws {TypeError} If two records describe one key differently.
 */
export function optionsOfAll<const A extends Alternatives, const S extends FieldTable>(
  about: string,
  alternatives: A,
  shared: S,
): Section<S & (AllOptions<A> & FieldTable)> {
  const fields: Record<string, Field> = { ...shared };
  for (const [record, { options = {} }] of Object.entries(alternatives)) {
    for (const [key, field] of Object.entries(options)) {
      if ((fields[key] ??= field) === field) continue;
      throw new TypeError(
        `Cannot describe ${about}: ${key} of ${record} must be what other records describe`,
      );
    }
  }
  return { kind: "section", about, fields: fields as never, checks: [], warnings: [] };
}

/**
 * {@linkcode optionsOfAll} after a key `name`, which picks a record. A record's rules hold while it is
 * picked.
 *
 * @throws {TypeError} If two records describe one key differently.
 */
export function sideBySide<const A extends Alternatives, const S extends FieldTable>(
  about: string,
  alternatives: A,
  { name, about: aboutName, shared }: NameOption<NoInfer<keyof A & string>> & { shared: S },
): Section<{ name: Option<keyof A & string> } & S & (AllOptions<A> & FieldTable)> {
  const first = { name: option(choice(alternatives), name, aboutName), ...shared };
  type Picked = { name: string };
  return {
    ...optionsOfAll(about, alternatives, first) as Section<never>,
    checks: [(options: Picked, at) => firstBroken(alternatives[options.name]?.checks, options, at)],
    warnings: [(options: Picked, at) => {
      const warnings = alternatives[options.name]?.warnings ?? [];
      return warnings.flatMap((warn) => warn(options as never, at) ?? []).join("; ") || null;
    }],
  };
}

/** Values of a section's options, each as given or its default; sections inside have their defaults. */
export function withDefaults<const F extends FieldTable>(
  { fields }: Section<F>,
  given: Partial<OptionsOf<F>> = {},
): OptionsOf<F> {
  const defaults = Object.entries(fields).flatMap(([key, field]) => {
    if (field.kind === "named") return [];
    return [[key, field.kind === "option" ? field.initial : withDefaults(field)]];
  });
  return { ...Object.fromEntries(defaults), ...given };
}

/** The first of `checks` that `options` break, or null. */
export function firstBroken(
  checks: readonly Check<never>[] = [],
  options: unknown,
  at: KeyNames,
): BrokenRule | null {
  for (const check of checks) {
    const broken = check(options as never, at);
    if (broken !== null) return broken;
  }
  return null;
}
