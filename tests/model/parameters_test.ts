import { Parameter } from "../../autograd/parameter.ts";
import { xavierUniform, zeros } from "../../model/init.ts";
import { Module } from "../../model/module.ts";
import {
  createArena,
  initialValues,
  parameterSlots,
  readArena,
  writeArenas,
} from "../../model/parameters.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";

class Pair extends Module {
  readonly weight = new Parameter([3, 5], xavierUniform([3, 5]));
  readonly bias = new Parameter([5], zeros);
}

class Model extends Module {
  readonly pairs = [new Pair(), new Pair()];
}

Deno.test("initialValues() depends on seed and place alone", () => {
  const all = (seed: number) => new Map(initialValues(new Model(), seed));
  const values = all(3);
  assertEquals([...values.keys()], [
    "pairs.0.weight",
    "pairs.0.bias",
    "pairs.1.weight",
    "pairs.1.bias",
  ]);
  assertEquals(values, all(3));
  const first = values.get("pairs.0.weight");
  assert(first?.some((v) => v !== 0));
  assert(String(first) !== String(all(4).get("pairs.0.weight")), "another seed");
  assert(String(first) !== String(values.get("pairs.1.weight")), "another place");
  assertEquals([...values.get("pairs.1.bias")!], [0, 0, 0, 0, 0]);
});

Deno.test("writeArenas() fills arenas that readArena() gives back value by value", async () => {
  const gpu = await testGpu();
  const model = new Model();
  const arenas = [createArena(gpu, "weights", model), createArena(gpu, "average", model)];
  writeArenas(gpu, arenas, initialValues(model, 1));
  for (const arena of arenas) {
    const read = new Map<string, Float32Array>();
    for await (const [name, values] of readArena(gpu, arena)) read.set(name, values);
    assertEquals(read, new Map(initialValues(model, 1)));
    arena.destroy(gpu);
  }
});

Deno.test("writeArenas() refuses names that are unknown, repeated or missing", async () => {
  const gpu = await testGpu();
  const model = new Model();
  const arena = createArena(gpu, "weights", model);
  const values = [...initialValues(model, 1)];
  const write = (list: typeof values) => () => writeArenas(gpu, [arena], list);
  assertThrows(write([...values, ["x", values[0]![1]]]), RangeError, "Cannot find x in the arena");
  assertThrows(
    write([...values, values[0]!]),
    RangeError,
    "pairs.0.weight must be given once, got it twice",
  );
  assertThrows(write(values.slice(0, 3)), RangeError, "pairs.1.bias of shape [5] must be given");
  arena.destroy(gpu);
});

Deno.test("parameterSlots() finds values, and gradients where there are any", async () => {
  const gpu = await testGpu();
  const model = new Model();
  const values = createArena(gpu, "weights", model), grads = createArena(gpu, "gradients", model);
  const { weight } = model.pairs[1]!;
  assertEquals(parameterSlots(model, values).get(weight), { value: values.get("pairs.1.weight") });
  const slots = parameterSlots(model, values, grads);
  assertEquals(slots.size, 4);
  assertEquals(slots.get(weight), {
    value: values.get("pairs.1.weight"),
    grad: grads.get("pairs.1.weight"),
  });
  assertThrows(() => parameterSlots(new Pair(), values), RangeError, "Cannot find weight");
  for (const arena of [values, grads]) arena.destroy(gpu);
});
