import { readPickle } from "../../formats/pickle.ts";
import {
  PickleDict,
  PickleGlobal,
  type PickleHost,
  PickleTuple,
  type PickleValue,
} from "../../formats/pickle_values.ts";
import { assert, assertEquals, assertStringIncludes, assertThrows } from "../support/assert.ts";
import { op, pickle, type PickleBytes } from "../support/torch_file.ts";

/** Knows one constructor, which wraps its arguments. */
const HOST: PickleHost<{ made: PickleValue<object> }> = {
  allows: (name) => name === "known.thing",
  build: (_, args) => ({ made: new PickleTuple(args) }),
  persistent: (id) => ({ made: id }),
};

function read(...parts: PickleBytes[]) {
  return readPickle(pickle(...parts), HOST).value;
}

function refuses(part: string, ...parts: PickleBytes[]): void {
  assertThrows(() => read(...parts), SyntaxError, part);
}

Deno.test("readPickle() reads constants of every kind", () => {
  const cases: [PickleBytes, unknown][] = [
    [op.none, null],
    [op.bool(true), true],
    [op.bool(false), false],
    [[0x4b, 200], 200],
    [[0x4d, 0x34, 0x12], 0x1234],
    [op.int(-5), -5],
    [op.float(2.5), 2.5],
    [op.text("hé中"), "hé中"],
    [[0x8c, 2, 0x6f, 0x6b], "ok"],
    [[0x8d, 2, 0, 0, 0, 0, 0, 0, 0, 0x6f, 0x6b], "ok"],
    [[0x55, 2, 0x6f, 0xe9], "oé"],
    [[0x54, 1, 0, 0, 0, 0x6f], "o"],
    [[0x43, 2, 1, 255], new Uint8Array([1, 255])],
    [[0x42, 1, 0, 0, 0, 7], new Uint8Array([7])],
    [[0x8a, 0], 0],
    [op.long(1n << 70n), 1n << 70n],
    [op.long(-(1n << 70n)), -(1n << 70n)],
    [op.long(-300n), -300],
    [[0x8b, 2, 0, 0, 0, 0xff, 0xff], -1],
  ];
  for (const [bytes, expected] of cases) assertEquals(read(bytes) as unknown, expected);
});

Deno.test("readPickle() reads dicts, lists, tuples and what was remembered", () => {
  const value = read(
    op.emptyDict,
    op.put(0),
    op.mark,
    ...[op.text("list"), op.emptyList, op.mark, op.int(1), op.int(2), op.appends],
    ...[op.int(7), op.mark, op.text("a"), op.put(1), op.get(1), op.tuple],
    op.setItems,
  );
  assert(value instanceof PickleDict);
  assertEquals([...value.keys()], ["list", 7]);
  assertEquals(value.get("list"), [1, 2]);
  const tuple = value.get(7);
  assert(tuple instanceof PickleTuple);
  assertEquals(tuple.items, ["a", "a"]);
});

Deno.test("readPickle() hands names and their arguments to the host alone", () => {
  const value = read(op.global("known", "thing"), op.int(3), op.tuple1, op.reduce);
  assertEquals(value, { made: new PickleTuple([3]) });
  assertEquals(read(op.text("id"), op.persistentId), { made: "id" });
  assertEquals(
    read([0x8c, 5, ...new TextEncoder().encode("known"), 0x8c, 5], [
      ...new TextEncoder().encode("thing"),
      0x93,
    ]),
    new PickleGlobal("known.thing"),
  );
});

Deno.test("readPickle() refuses every name but the host's, and applies nothing else", () => {
  refuses('got "os.system"', op.global("os", "system"), op.text("true"), op.tuple1, op.reduce);
  refuses('got "builtins.eval"', [0x8c, 8], [...new TextEncoder().encode("builtins")], [
    0x8c,
    4,
    ...new TextEncoder().encode("eval"),
    0x93,
  ]);
  for (const callable of [op.text("os.system"), op.emptyDict, op.none, op.emptyTuple]) {
    refuses("must apply a named constructor", callable, op.emptyTuple, op.reduce);
  }
  refuses("must apply", op.global("known", "thing"), op.emptyList, op.reduce);
});

Deno.test("readPickle() knows a short list of opcodes and refuses all others", () => {
  const allowed: number[] = [];
  for (let code = 0; code < 256; code++) {
    const { message } = assertThrows(
      () => readPickle(Uint8Array.of(0x80, 2, code), HOST),
      SyntaxError,
    );
    if (!message.includes("must not use opcode")) allowed.push(code);
  }
  const names = "(.BCGJKMNQRTUX]abcehjqrstu})\x85\x86\x87\x88\x89\x8a\x8b\x8c\x8d\x93\x94\x95";
  const expected = Array.from(names, (letter) => letter.charCodeAt(0));
  assertEquals(allowed, expected.sort((a, b) => a - b));
});

Deno.test("readPickle() sets no attribute but a dict's _metadata, which it drops", () => {
  const dict = read(
    op.emptyDict,
    ...[op.emptyDict, op.text("_metadata"), op.emptyDict, op.setItem],
    op.build,
  );
  assert(dict instanceof PickleDict);
  assertEquals(dict.size, 0);
  for (const key of ["__proto__", "__setstate__", "size"]) {
    const state = [op.emptyDict, op.text(key), op.emptyDict, op.setItem];
    refuses("must set no attribute", op.emptyDict, ...state, op.build);
  }
  refuses("must set no attribute", op.emptyList, op.emptyDict, op.build);
  refuses("must set no attribute", op.global("known", "thing"), op.emptyDict, op.build);
});

Deno.test("readPickle() keeps keys like __proto__ as keys", () => {
  const names = ["__proto__", "constructor", "toString"];
  const items = names.flatMap((name) => [op.text(name), op.text("changed")]);
  const dict = read(op.emptyDict, op.mark, ...items, op.setItems);
  assert(dict instanceof PickleDict);
  assertEquals([...dict.keys()], names);
  assertEquals(Object.getPrototypeOf(dict), PickleDict.prototype);
  assertEquals(({} as Record<string, unknown>).changed, undefined);
  assertEquals(typeof {}.toString, "function");
});

Deno.test("readPickle() refuses keys that are no strings or numbers, and odd items", () => {
  refuses("must key dicts by", op.emptyDict, op.emptyTuple, op.none, op.setItem);
  refuses("must set pairs", op.emptyDict, op.mark, op.none, op.setItems);
  refuses("must set items of a dict", op.emptyList, op.int(1), op.none, op.setItem);
  refuses("must append to a list", op.emptyDict, op.mark, op.none, op.appends);
});

Deno.test("readPickle() refuses a stack that runs out, marks that lack and values left over", () => {
  refuses("must have enough values", op.tuple1);
  refuses("must have a mark", op.tuple);
  refuses("must have enough values", op.none, op.mark, op.tuple1);
  refuses("must have remembered value 9", op.get(9));
  refuses("must have a value to remember", op.put(0));
  refuses("must end with one value", op.none, op.none);
});

Deno.test("readPickle() refuses a pickle cut at any byte", () => {
  const whole = pickle(
    ...[op.emptyDict, op.mark, op.text("key"), op.float(1), op.long(1n << 70n), op.none],
    op.setItems,
  );
  for (let length = 0; length < whole.length; length++) {
    const error = assertThrows(() => readPickle(whole.subarray(0, length), HOST), SyntaxError);
    assertStringIncludes(error.message, "Cannot read pickle");
  }
});

Deno.test("readPickle() refuses lengths beyond the bytes and integers that are too long", () => {
  refuses("must not be cut short", [0x58, 255, 255, 255, 127]);
  refuses("must not be cut short", [0x8d, 255, 255, 255, 255, 255, 255, 255, 127]);
  refuses("must not be cut short", [0x42, 255, 255, 255, 255]);
  const long = [0x8b, 0, 2, 0, 0, ...new Array<number>(512).fill(1)];
  refuses("at most 256 bytes, got 512", long);
  refuses("must end a name", [0x63, ...new Array<number>(400).fill(97)]);
});

Deno.test("readPickle() refuses to build more than its size justifies", () => {
  for (const code of [0x7d, 0x5d, 0x29, 0x28]) {
    const bomb = new Uint8Array(4_000_000).fill(code);
    bomb.set([0x80, 2]);
    assertThrows(() => readPickle(bomb, HOST), SyntaxError, "must not build more");
  }
});

Deno.test("readPickle() takes keys of bytes for the names that they spell", () => {
  const dict = read(op.emptyDict, [0x43, 2, 0x6f, 0xe9], op.int(1), op.setItem);
  assert(dict instanceof PickleDict);
  assertEquals([...dict], [["oé", 1]]);
  const long = [0x42, 1, 1, 0, 0, ...new Array<number>(257).fill(97)];
  refuses("must key dicts by", op.emptyDict, long, op.int(1), op.setItem);
});

Deno.test("readPickle() asks the host what a string of Python 2 is, and how its objects take state", () => {
  const made = { state: null as PickleValue<object> };
  const host: PickleHost<object> = {
    allows: () => true,
    build: () => made,
    persistent: () => null,
    legacyString: (bytes) => bytes.length > 1 ? bytes : "short",
    setState: (target, state) => {
      if (target !== made) return false;
      made.state = state;
      return true;
    },
  };
  const value = readPickle(pickle([0x55, 2, 7, 8], [0x55, 1, 7], [0x86]), host).value;
  assertEquals((value as PickleTuple<object>).items, [Uint8Array.of(7, 8), "short"]);
  const object = [op.global("a", "b"), op.emptyTuple, op.reduce, op.int(5), op.build];
  assert(readPickle(pickle(...object), host).value === made);
  assertEquals(made.state, 5);
  assertThrows(
    () => readPickle(pickle(op.emptyList, op.emptyDict, op.build), host),
    SyntaxError,
    "must set no attribute",
  );
});
