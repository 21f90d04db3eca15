/**
 * The description of a whole config: every room's own, one below the other. The defaults are the
 * settings of Ho et al. 2020 for CIFAR-10.
 *
 * @module
 */
import { DATA } from "../data/options.ts";
import { DIFFUSION } from "../diffusion/options.ts";
import { INSTRUMENTS } from "../metrics/instruments/options.ts";
import { METRICS } from "../metrics/judges/options.ts";
import { MODEL } from "../model/networks/registry.ts";
import { OPTIM } from "../optim/options.ts";
import {
  type Alternative,
  type BrokenRule,
  type Field,
  firstBroken,
  type KeyNames,
  type KeyRules,
  type OptionsOf,
  section,
} from "../support/options.ts";
import { RUN, TRAIN } from "../training/options.ts";

/** A run's config. */
export const CONFIG = section("The config of a run", {
  run: RUN,
  data: DATA,
  model: MODEL,
  diffusion: DIFFUSION,
  optim: OPTIM,
  train: TRAIN,
  instruments: INSTRUMENTS,
  metrics: METRICS,
});

/** @internal */
type Described = OptionsOf<typeof CONFIG>;

/** The config of a run, every field given. */
export type Config = Described;

/** A key and what describes it. */
export interface DottedField {
  readonly key: string;
  readonly field: Field;
}

/** The keys right below a field; of what is chosen by name, those of every choice. */
function innerFields(field: Field): [name: string, field: Field][] {
  if (field.kind === "section") return Object.entries<Field>(field.fields);
  if (field.kind === "option") return [];
  const alternatives = Object.values<Alternative>(field.alternatives);
  return [
    ["name", field.name],
    ...alternatives.flatMap(({ options = {} }) => Object.entries(options)),
  ];
}

/** Every dotted key below a field, sections before their own. A key of several records comes again. */
export function* dottedFields(field: Field = CONFIG, prefix = ""): Generator<DottedField> {
  for (const [name, inner] of innerFields(field)) {
    const key = prefix + name;
    yield { key, field: inner };
    yield* dottedFields(inner, `${key}.`);
  }
}

/** The options of one section, the rules between them, and what its keys are called in a config. */
interface Ruled {
  readonly rules: KeyRules<never>;
  readonly options: Record<string, unknown>;
  readonly at: KeyNames;
}

/** The sections of a config, outer ones first. */
function* ruledSections(
  options: Record<string, unknown>,
  field: Field = CONFIG,
  prefix = "",
): Generator<Ruled> {
  if (field.kind === "option") return;
  const picked: Alternative = field.kind === "named"
    ? field.alternatives[options.name as string]
    : { ...field, options: field.fields };
  yield { rules: picked, options, at: (key) => prefix + key };
  for (const [name, inner] of Object.entries(picked.options ?? {})) {
    if (inner.kind === "option") continue;
    yield* ruledSections(options[name] as typeof options, inner, `${prefix}${name}.`);
  }
}

/** The first rule between keys of one section that `config` breaks, with the whole dotted key. */
export function brokenRule(config: Config): BrokenRule | null {
  for (const { rules, options, at } of ruledSections({ ...config })) {
    const broken = firstBroken(rules.checks, options, at);
    if (broken !== null) return { ...broken, key: at(broken.key) };
  }
  return null;
}

/** What rooms say of a config that is allowed, but seldom meant. */
export function roomWarnings(config: Config): string[] {
  return [...ruledSections({ ...config })].flatMap(({ rules, options, at }) =>
    (rules.warnings ?? []).flatMap((warn) => warn(options as never, at) ?? [])
  );
}
