import { parseJson } from "../../config/json.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

Deno.test("parseJson() reads what JSON.parse reads, to the same value", () => {
  const texts = [
    ' {"a": [1, -0.5, 2e-4, 1E+3, 0], "b": {"c": null, "d": true, "": false}} \n',
    String.raw`["\u00e9\n\"\\\/\ud83d\ude00", "é😀", "\u007f"]`,
    "[]",
    "{}",
    '"x"',
    "12",
    '{"__proto__": {"a": 1}}',
  ];
  for (const text of texts) assertEquals(parseJson(text, "x"), JSON.parse(text));
  assertEquals(Object.getPrototypeOf(parseJson('{"__proto__": 1}', "x")), Object.prototype);
});

Deno.test("parseJson() names the line and column where the text stops being JSON", () => {
  const cases: [text: string, where: string][] = [
    ["", "line 1, column 1 must hold a value, got nothing"],
    ['{"a": 1,}', 'line 1, column 9 must hold a key in double quotes, got "}"'],
    ['{\n  "a": 01\n}', 'line 2, column 9 must hold "," or "}", got "1"'],
    ["{'a': 1}", "line 1, column 2 must hold a key in double quotes"],
    ['{"a" 1}', 'line 1, column 6 must hold ":" after a key, got "1"'],
    ["[1 2]", 'line 1, column 4 must hold "," or "]", got "2"'],
    ['{\n\n "a": "b\n"}', "line 3, column 7 must hold a string that is closed on its line"],
    [String.raw`["\x"]`, "line 1, column 2 must hold a string that is closed"],
    ["[1]\n// no", 'line 2, column 1 must hold the end of the text, got "/"'],
    ["[NaN]", 'line 1, column 2 must hold a value, got "N"'],
    ["[-]", 'line 1, column 2 must hold a value, got "-"'],
    ["😀", 'line 1, column 1 must hold a value, got "😀"'],
  ];
  for (const [text, where] of cases) {
    assertThrows(() => JSON.parse(text), SyntaxError);
    assertThrows(() => parseJson(text, "x.json"), SyntaxError, `Cannot read x.json: ${where}`);
  }
});

Deno.test("parseJson() refuses a repeated key and says where the second one is", () => {
  assertThrows(
    () => parseJson('{\n "a": 1,\n "a": 2}', "x"),
    SyntaxError,
    'line 3, column 2 must hold a key other than "a"',
  );
});

Deno.test("parseJson() refuses nesting that could exhaust the stack", () => {
  assertThrows(
    () => parseJson("[".repeat(1e6), "x"),
    SyntaxError,
    "column 66 must hold at most 64",
  );
  const deep = "[".repeat(60) + "]".repeat(60);
  assertEquals(parseJson(deep, "x"), JSON.parse(deep));
});
