/**
 * From the description of a config to what checks one, fills in defaults and tells editors.
 *
 * @module
 */
import * as z from "zod";
import type {
  Alternative,
  AnyRule,
  Field,
  FieldTable,
  Named,
  Option,
  OptionsOf,
  Section,
} from "../support/options.ts";
import { ruleText } from "../support/rule_text.ts";
import { CONFIG, type Config, dottedFields } from "./description.ts";
import { isSection } from "./keys.ts";

export type { Config };

// The message of every rule completes the sentence "<key> must ...".

/** What a rule allows. */
function compileRule(rule: AnyRule): z.ZodType {
  const words = ruleText(rule);
  switch (rule.kind) {
    case "number": {
      const { min, max, above, below } = rule.limits;
      let number = rule.whole ? z.int(words) : z.number(words);
      if (min !== undefined) number = number.min(min, words);
      if (max !== undefined) number = number.max(max, words);
      if (above !== undefined) number = number.gt(above, words);
      if (below !== undefined) number = number.lt(below, words);
      return rule.isDuration ? number.meta({ isDuration: true }) : number;
    }
    case "flag":
      return z.boolean(words);
    case "text":
      return rule.form
        ? z.string(words).regex(new RegExp(rule.form.pattern), words)
        : z.string(words).min(1, words);
    case "choice": {
      const { values } = rule;
      const names = values.filter((value) => typeof value === "string");
      const areNames = names.length > 1 && names.length === values.length;
      return areNames ? z.enum(names, words) : z.literal(values, words);
    }
    case "list":
      return z.array(compileRule(rule.item), words).min(rule.fewest, words);
    case "pair":
      return z.tuple([compileRule(rule.item), compileRule(rule.item)], words);
    case "nullable":
      return compileRule(rule.rule).nullable();
    case "either":
      return z.union(rule.rules.map(compileRule), words);
  }
}

function compileOption({ rule, initial, about }: Option<unknown>): z.ZodType {
  return compileRule(rule).default(() => structuredClone(initial)).describe(about);
}

function compileTable(fields: FieldTable): Record<string, z.ZodType> {
  return Object.fromEntries(
    Object.entries(fields).map(([key, field]) => [key, compileField(field)]),
  );
}

function compileField(field: Field): z.ZodType {
  switch (field.kind) {
    case "option":
      return compileOption(field);
    case "section":
      return z.strictObject(compileTable(field.fields), "be an object")
        .prefault({}).describe(field.about);
    case "named":
      return compileNamed(field);
  }
}

/** An object for each name; an input without one is of the kind whose name has a default. */
function compileNamed({ about, name, alternatives }: Named): z.ZodType {
  const table = Object.entries<Alternative>(alternatives);
  const objects = table.map(([each, { options = {} }]) => {
    const rule = z.enum([each], ruleText(name.rule));
    const own = each === name.initial ? rule.default(each) : rule;
    const shape = { name: own.describe(name.about), ...compileTable(options) };
    return z.strictObject(shape, "be an object");
  });
  const [first, ...rest] = objects;
  if (rest.length === 0) return first!.prefault({} as never).describe(about);
  const either = z.discriminatedUnion("name", [first!, ...rest], {
    error: ({ input }) => isSection(input) ? ruleText(name.rule) : "be an object",
  });
  return either.prefault({} as never).describe(about);
}

const compiled = new WeakMap<Section, z.ZodObject>();

function compileConfig(description: Section): z.ZodObject {
  const known = compiled.get(description);
  if (known !== undefined) return known;
  const schema = z.strictObject({
    $schema: z.string("be a string").optional().describe("Where this schema is; ignored"),
    ...compileTable(description.fields),
  }, "be an object");
  compiled.set(description, schema);
  return schema;
}

/** A field that breaks a rule: "<path> must <rule>, got <value>; <hint>". */
export interface Violation {
  path: (string | number)[];
  rule: string;
  /** What to do about it. */
  hint?: string;
  /** The value that breaks the rule, if it is not the field's own. */
  got?: unknown;
}

/**
 * Checks a config's fields one by one and fills in defaults. Keys come out in the schema's order.
 */
export function applySchema(
  input: unknown,
): { config: Config; violation?: never } | { config?: never; violation: Violation } {
  return applyDescription(CONFIG, input);
}

/** As {@linkcode applySchema}, for any description. */
export function applyDescription<F extends FieldTable>(
  description: Section<F>,
  input: unknown,
): { config: OptionsOf<F>; violation?: never } | { config?: never; violation: Violation } {
  const result = compileConfig(description).safeParse(input);
  if (result.success) {
    const { $schema: _, ...config } = result.data;
    return { config: config as OptionsOf<F> };
  }
  const issue = result.error.issues[0]!;
  const path = issue.path.map((key) => typeof key === "symbol" ? String(key) : key);
  if (issue.code !== "unrecognized_keys") return { violation: { path, rule: issue.message } };
  return { violation: unknownKey(description, [...path, issue.keys[0]!], input) };
}

/** A key that is not known, or not where the key `name` beside it says what it says. */
function unknownKey(description: Section, path: (string | number)[], input: unknown): Violation {
  const key = path.at(-1)!, place = path.slice(0, -1);
  const section = [...dottedFields(description)].find((each) => each.key === place.join("."));
  if (section?.field.kind !== "named") return { path, rule: "be a known key" };
  const { name, alternatives } = section.field as Named;
  const owners = Object.keys(alternatives).filter((each) =>
    Object.hasOwn(alternatives[each]!.options ?? {}, key)
  );
  if (owners.length === 0) return { path, rule: "be a known key" };
  const options = place.reduce((node, inner) => (node as Record<string, unknown>)[inner], input);
  const picked = (options as { name?: string }).name ?? name.initial;
  return {
    path,
    rule: `be an option of ${[...place, "name"].join(".")} ${picked}`,
    hint: `it is one of ${owners.join(", ")}`,
  };
}

/** Whether `value` is within the rule of the field with this dotted path. */
export function fieldAccepts(path: string, value: unknown, description: Section = CONFIG): boolean {
  return [...dottedFields(description)].some(({ key, field }) =>
    key === path && compileField(field).safeParse(value).success
  );
}

/** The JSON Schema (draft 2020-12) of a config file, for editors. */
export function configJsonSchema(description: Section = CONFIG): Record<string, unknown> {
  return z.toJSONSchema(compileConfig(description), {
    io: "input",
    override: ({ jsonSchema }) => {
      // Every whole number has this bound; it tells the reader nothing.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
      if (!jsonSchema.isDuration) return;
      // What is a length of time is steps by the time that it is checked.
      delete jsonSchema.isDuration;
      const { type, minimum, maximum, ...rest } = jsonSchema;
      const number = JSON.parse(JSON.stringify({ type, minimum, maximum }));
      for (const key of Object.keys(jsonSchema)) delete jsonSchema[key];
      Object.assign(jsonSchema, rest, {
        anyOf: [number, { type: "string", pattern: "^[0-9.]+ *[kM]? *(step|epoch|image)s?$" }],
      });
    },
  });
}
