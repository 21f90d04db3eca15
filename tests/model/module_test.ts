import { Parameter } from "../../autograd/parameter.ts";
import { zeros } from "../../model/init.ts";
import { countParameters, Module, namedParameters } from "../../model/module.ts";
import { assertEquals, assertThrows } from "../support/assert.ts";

class Leaf extends Module {
  readonly weight: Parameter;
  readonly bias = new Parameter([2], zeros);
  readonly absent: Leaf | undefined = undefined;
  constructor(readonly size: number) {
    super();
    this.weight = new Parameter([size, 2], zeros);
  }
}

class Tree extends Module {
  readonly name = "tree";
  readonly sizes = [3, 4];
  readonly first = new Leaf(3);
  readonly list = [new Leaf(4), [new Leaf(5)]] as const;
  readonly scale = new Parameter([], zeros);
}

Deno.test("namedParameters() gives dotted paths in the order of the properties", () => {
  assertEquals(Array.from(namedParameters(new Tree()), ([name, p]) => [name, p.shape]), [
    ["first.weight", [3, 2]],
    ["first.bias", [2]],
    ["list.0.weight", [4, 2]],
    ["list.0.bias", [2]],
    ["list.1.0.weight", [5, 2]],
    ["list.1.0.bias", [2]],
    ["scale", []],
  ]);
});

Deno.test("countParameters() counts learned values, a scalar as one", () => {
  assertEquals(countParameters(new Tree()), 3 * 2 + 4 * 2 + 5 * 2 + 3 * 2 + 1);
});

Deno.test("namedParameters() gives a shared parameter once, and ends on a cycle", () => {
  class Shared extends Module {
    readonly a = new Leaf(1);
    readonly b: unknown;
    readonly c: unknown;
    readonly self: unknown;
    constructor() {
      super();
      this.b = this.a;
      this.c = this.a.weight;
      this.self = this;
    }
  }
  const names = Array.from(namedParameters(new Shared()), ([name]) => name);
  assertEquals(names, ["a.weight", "a.bias"]);
});

Deno.test("namedParameters() refuses a property with a dot in its name", () => {
  class Dotted extends Module {
    readonly "a.b" = new Leaf(1);
  }
  assertThrows(
    () => [...namedParameters(new Dotted())],
    TypeError,
    'Cannot name the parameters of Dotted: a property\'s name must have no dot, got "a.b"',
  );
});
