import { decimal, integer } from "../../support/numbers.ts";
import { assertEquals, assertThrows } from "./assert.ts";

Deno.test("integer() reads whole numbers within its limits", () => {
  assertEquals(integer()("-12"), -12);
  assertEquals(integer({ min: 1 })("+64"), 64);
  assertEquals(integer({ min: 0, max: 9007199254740991 })("9007199254740991"), 9007199254740991);
});

Deno.test("integer() refuses what is not an integer or lies outside", () => {
  for (const text of ["", " 1", "1.0", "1e3", "0x10", "one"]) {
    assertThrows(() => integer()(text), RangeError, `must be an integer, got "${text}"`);
  }
  assertThrows(() => integer({ min: 1 })("0"), RangeError, "an integer of at least 1");
  assertThrows(() => integer({ max: 5 })("6"), RangeError, "an integer of at most 5");
  assertThrows(() => integer({ min: 1, max: 5 })("6"), RangeError, "an integer from 1 to 5");
});

Deno.test("integer() names the limits of integers that a double cannot hold", () => {
  const most = Number.MAX_SAFE_INTEGER;
  const cases = [
    [{}, "9007199254740993", -most, most],
    [{ min: 0 }, "99999999999999999999", 0, most],
    [{ min: 0 }, "-99999999999999999999", 0, most],
    [{ min: 1, max: 5 }, "9".repeat(400), 1, 5],
  ] as const;
  for (const [range, text, min, max] of cases) {
    const rule = `must be an integer from ${min} to ${max}, got "${text}"`;
    assertThrows(() => integer(range)(text), RangeError, rule);
  }
});

Deno.test("decimal() reads finite numbers", () => {
  assertEquals(decimal()("2e-4"), 0.0002);
  assertEquals(decimal()("-.5"), -0.5);
  assertEquals(decimal({ min: 0, max: 1 })("1."), 1);
});

Deno.test("decimal() refuses what is no number or lies outside", () => {
  for (const text of ["", ".", "1,5", "0x10", "NaN", "Infinity", "1e999", "1 "]) {
    assertThrows(() => decimal()(text), RangeError, `must be a number, got "${text}"`);
  }
  assertThrows(() => decimal({ min: 0, max: 1 })("1.5"), RangeError, "a number from 0 to 1");
});
