import { optionSpec } from "../../../commands/shared/option_specs.ts";
import { choice, decimal, flag, integer, nullable, option } from "../../../support/options.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

Deno.test("optionSpec() offers the words of a key", () => {
  const key = option(choice(["near", "far"]), "near", "How far it goes");
  assertEquals(optionSpec(key, "WORD"), {
    value: "WORD",
    description: "how far it goes",
    choices: ["near", "far"],
  });
});

Deno.test("optionSpec() reads numbers within the limits of a key", () => {
  const key = option(nullable(integer({ min: 1, max: 9 })), null, "Steps; null = all");
  const { parse, description } = optionSpec(key, "N", "more is slower");
  assertEquals(description, "steps; null = all; more is slower");
  assertEquals(parse("9"), 9);
  assertThrows(() => parse("10"), RangeError, 'must be an integer from 1 to 9, got "10"');
  const share = optionSpec(option(decimal({ min: 0, max: 1 }), 0, "Share"), "E");
  assertEquals(share.parse("0.5"), 0.5);
  assertThrows(() => share.parse("2"), RangeError, 'must be a number from 0 to 1, got "2"');
});

Deno.test("optionSpec() refuses limits that it cannot read a text by", () => {
  assertThrows(() => optionSpec(option(decimal({ above: 0 }), 1, "Rate"), "R"), TypeError);
  // @ts-expect-error: a switch has no value to read.
  assertThrows(() => optionSpec(option(flag(), true, "Whether"), "X"), TypeError);
});
