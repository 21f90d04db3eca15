import { freeze } from "../../model/freeze.ts";
import { matchesName } from "../../model/names/patterns.ts";
import { Conv2d, Linear } from "../../model/layers.ts";
import { Module, namedParameters } from "../../model/module.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

class Pair extends Module {
  readonly down = [new Conv2d(1, 2, { kernel: 3 }), new Conv2d(2, 2, { kernel: 1 })];
  readonly head = new Linear(2, 1);
}

const learned = (module: Module) =>
  Array.from(namedParameters(module)).flatMap(([name, { learned }]) => learned ? [name] : []);

Deno.test("freeze() marks what patterns mean: a module for all below it, a star for any characters", () => {
  const pair = new Pair();
  freeze(pair, "down.1, head.b*");
  assertEquals(learned(pair), ["down.0.weight", "down.0.bias", "head.weight"]);
  freeze(pair, ["*.bias"]);
  assertEquals(learned(pair), ["down.0.weight", "head.weight"]);
  // No name begins in the middle, and a dot is a dot.
  assertEquals(
    [["own.0", "down.0.bias"], ["down.0", "down.01"], ["down?0", "down.0"], ["*", "a.b"]]
      .map(([pattern, name]) => matchesName(pattern!, name!)),
    [false, false, false, true],
  );
});

Deno.test("freeze() refuses a pattern that means nothing, and to leave nothing to learn", () => {
  assertThrows(
    () => freeze(new Pair(), ["up.*"]),
    RangeError,
    'Cannot freeze "up.*": optim.freeze must name parameters of the network, as in down.0.weight; ' +
      "below down, head",
  );
  assertThrows(() => freeze(new Pair(), "down,head"), RangeError, "leave something to learn");
});
