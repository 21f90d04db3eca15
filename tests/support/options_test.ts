import {
  byName,
  type Check,
  choice,
  decimal,
  either,
  type Fields,
  firstBroken,
  flag,
  integer,
  list,
  nullable,
  option,
  type OptionsOf,
  pair,
  section,
  sideBySide,
  text,
} from "../../support/options.ts";
import { ruleText } from "../../support/rule_text.ts";
import { assertEquals, assertThrows } from "./assert.ts";

Deno.test("ruleText() says each rule in words that complete a sentence", () => {
  const cases: [rule: Parameters<typeof ruleText>[0], words: string][] = [
    [integer(), "be a whole number"],
    [integer({ min: 1 }), "be a whole number of at least 1"],
    [integer({ min: 0, max: 5 }), "be a whole number from 0 to 5"],
    [decimal(), "be a number"],
    [decimal({ above: 0 }), "be a number above 0"],
    [decimal({ min: 0, below: 1 }), "be a number of at least 0 and below 1"],
    [decimal({ above: 0, below: 1 }), "be a number between 0 and 1"],
    [decimal({ above: 0, max: 1 }), "be a number above 0 and at most 1"],
    [decimal({ max: 1 }), "be a number of at most 1"],
    [flag(), "be true or false"],
    [text(), "be a string of at least one character"],
    [choice(["a", "b"]), "be one of a, b"],
    [choice(["a"]), "be a"],
    [choice([1, 3]), "be 1 or 3"],
    [choice({ x: {}, y: {} }), "be one of x, y"],
    [nullable(integer({ min: 4 })), "be a whole number of at least 4"],
    [list(integer({ min: 1 })), "be a list of at least one whole number of at least 1"],
    [list(integer({ min: 0 }), 0), "be a list of whole numbers of at least 0"],
    [list(choice(["a", "b"])), "be a list of at least one of a, b"],
    [list(choice(["a", "b"]), 0), "be a list of any of a, b"],
    [list(text()), "be a list of at least one string"],
    [pair(decimal({ min: 0 })), "be a list of two numbers"],
    [either(flag(), choice(["blocks"]), "true, false or blocks"), "be true, false or blocks"],
  ];
  for (const [rule, words] of cases) assertEquals(ruleText(rule), words);
});

const SPACING = option(choice(["uniform", "trailing"]), "uniform", "How steps are spaced");
const etaIsSmall: Check<{ eta: number }> = ({ eta }, at) =>
  eta < 1 ? null : { key: "eta", rule: `be below 1, as ${at("name")} says` };
const SAMPLERS = {
  plain: {},
  noisy: {
    options: { eta: option(decimal({ min: 0 }), 0, "Noise"), spacing: SPACING },
    checks: [etaIsSmall],
    warnings: [({ eta }: { eta: number }) => eta > 0.5 ? "eta is large" : null],
  },
  far: { options: { spacing: SPACING } },
};
const SAMPLER = sideBySide("The sampler", SAMPLERS, {
  name: "plain",
  about: "The sampler",
  shared: { steps: option(nullable(integer({ min: 1 })), null, "Steps") },
});
const BY_NAME = byName("The sampler", SAMPLERS, { name: "plain", about: "The sampler" });

Deno.test("OptionsOf is the type of what a description allows", () => {
  // The compiler refuses this test where a type is wrong.
  const all: OptionsOf<typeof SAMPLER> = { name: "far", steps: null, eta: 1, spacing: "trailing" };
  const picked: OptionsOf<typeof BY_NAME>[] = [{ name: "plain" }, {
    name: "far",
    spacing: "uniform",
  }];
  // @ts-expect-error: a number of steps is no text.
  const wrongType: OptionsOf<typeof SAMPLER> = { ...all, steps: "5" };
  // @ts-expect-error: plain has no spacing.
  const wrongName: OptionsOf<typeof BY_NAME> = { name: "plain", spacing: "uniform" };
  const described = { eta: option(decimal(), 0, "Noise") } satisfies Fields<{ eta: number }>;
  // @ts-expect-error: eta is not described.
  const missing: Fields<{ eta: number }> = {};
  // @ts-expect-error: 0 is not true or false.
  const wrongDefault = option(flag(), 0, "A switch");
  assertEquals([all, picked, wrongType, wrongName, described, missing, wrongDefault].length, 7);
});

Deno.test("sideBySide() has shared options, then those of all records, each once", () => {
  assertEquals(Object.keys(SAMPLER.fields), ["name", "steps", "eta", "spacing"]);
  assertEquals(SAMPLER.fields.name.rule, choice(SAMPLERS));
  assertEquals(SAMPLER.fields.spacing, SPACING);
});

Deno.test("sideBySide() refuses records that describe one key differently", () => {
  const other = { options: { eta: option(decimal(), 1, "Another") } };
  assertThrows(
    () => sideBySide("samplers", { ...SAMPLERS, other }, { name: "far", about: "", shared: {} }),
    TypeError,
    "Cannot describe samplers: eta of other must be what other records describe",
  );
});

Deno.test("sideBySide() holds a record's rules only while it is picked", () => {
  const at = (key: string) => `sampler.${key}`;
  const options = (name: string) => ({ name, steps: null, eta: 2, spacing: "uniform" });
  assertEquals(firstBroken(SAMPLER.checks, options("far"), at), null);
  assertEquals(firstBroken(SAMPLER.checks, options("noisy"), at), {
    key: "eta",
    rule: "be below 1, as sampler.name says",
  });
  const warn = SAMPLER.warnings![0]!;
  assertEquals(warn(options("noisy") as never, at), "eta is large");
  assertEquals(warn(options("far") as never, at), null);
});

Deno.test("section() keeps its rules in their order", () => {
  const first: Check<{ a: number }> = () => ({ key: "a", rule: "be first" });
  const second: Check<{ a: number }> = () => ({ key: "a", rule: "be second" });
  const { checks } = section("", { a: option(integer(), 0, "") }, { checks: [first, second] });
  assertEquals(firstBroken(checks, {}, String)?.rule, "be first");
});
