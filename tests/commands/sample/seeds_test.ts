import { parseSeedPair, parseSeeds } from "../../../commands/sample/seeds.ts";
import { assertEquals, assertThrows } from "../../support/assert.ts";

const MOST = "9007199254740991";

Deno.test("parseSeeds() reads seeds and ranges in the order given", () => {
  assertEquals(parseSeeds("5,17,100-103"), [5, 17, 100, 101, 102, 103]);
  assertEquals(parseSeeds("9, 3-3 ,0"), [9, 3, 0]);
  assertEquals(parseSeeds(`${Number.MAX_SAFE_INTEGER}`), [Number.MAX_SAFE_INTEGER]);
});

Deno.test("parseSeeds() refuses what is not seeds", () => {
  for (const text of ["", "a", "1,", "1,,2", "1.5", "-3", "1-2-3", "0x10", "9007199254740992"]) {
    assertThrows(
      () => parseSeeds(text),
      RangeError,
      `must be integers from 0 to ${MOST} and ranges`,
    );
  }
  assertThrows(() => parseSeeds("7-3"), RangeError, 'must have ranges that ascend, got "7-3"');
  assertThrows(() => parseSeeds("1,3,1"), RangeError, "must name each seed once, got 1 again");
  assertThrows(() => parseSeeds("1-5,4-6"), RangeError, "got 4 again");
});

Deno.test("parseSeeds() refuses ranges that no memory holds", () => {
  const text = `0-${Number.MAX_SAFE_INTEGER}`;
  assertThrows(() => parseSeeds(text), RangeError, "must name at most 1000000 seeds");
  assertThrows(() => parseSeeds("0-999999,1000000"), RangeError, "at most 1000000 seeds");
  assertEquals(parseSeeds("1-1000000").length, 1000000);
});

Deno.test("parseSeedPair() reads two seeds", () => {
  assertEquals(parseSeedPair("3,8"), [3, 8]);
  assertEquals(parseSeedPair("8, 8"), [8, 8]);
  const rule = `must be two integers from 0 to ${MOST}`;
  for (const text of ["3", "3,4,5", ""]) {
    assertThrows(() => parseSeedPair(text), RangeError, rule);
  }
  assertThrows(() => parseSeedPair("3,x"), RangeError, `${rule}, as in 3,8, got "x"`);
  assertThrows(() => parseSeedPair(`3,${MOST}0`), RangeError, rule);
});
