import { Capture } from "../../device/capture.ts";
import { full } from "../../device/element.ts";
import { defineKernel } from "../../device/kernel.ts";
import type { TensorRef } from "../../device/tensor.ts";
import { placeOperands } from "../../device/texture_slots.ts";
import { assertEquals } from "../support/assert.ts";
import { randomValues, testGpu, upload } from "../support/gpu.ts";

const COUNT = 64, type = full(4);

/** `out = x + 2 y`, element by element, of textures. */
const sum = defineKernel({
  name: "test.texturedSum",
  bindings: {
    out: { type, access: "write" },
    x: { type, access: "read", textured: true },
    y: { type, access: "read", textured: true },
  },
  params: {},
  workgroupSize: [COUNT, 1, 1],
  wgsl: `
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) id: vec3u) { out[id.x] = x_at(id.x) + 2.0 * y_at(id.x); }`,
});

/** `out = 2 x`, of a texture. */
const double = defineKernel({
  name: "test.texturedDouble",
  bindings: {
    out: { type, access: "write" },
    x: { type, access: "read", textured: true },
  },
  params: {},
  workgroupSize: [COUNT, 1, 1],
  wgsl: `
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) id: vec3u) { out[id.x] = 2.0 * x_at(id.x); }`,
});

/** `out = x + 1`, of a buffer. */
const next = defineKernel({
  name: "test.next",
  bindings: { x: { type, access: "read" }, out: { type, access: "write" } },
  params: {},
  workgroupSize: [COUNT, 1, 1],
  wgsl: `
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) id: vec3u) { out[id.x] = x[id.x] + 1.0; }`,
});

const workgroups = [1, 1, 1] as const;

function record(capture: Capture) {
  const make = (label: string) => capture.transient([4 * COUNT], label);
  return {
    sum(x: TensorRef, y: TensorRef, out = make("sum")) {
      capture.dispatch({ kernel: sum, bindings: { x, y, out }, params: {}, workgroups });
      return out;
    },
    double(x: TensorRef, out = make("double")) {
      capture.dispatch({ kernel: double, bindings: { x, out }, params: {}, workgroups });
      return out;
    },
    next(x: TensorRef, out = make("next")) {
      capture.dispatch({ kernel: next, bindings: { x, out }, params: {}, workgroups });
      return out;
    },
  };
}

/** What each dispatch of textures reads, as `texture` or, where it is copied there first, `texture!`. */
const readings = (capture: Capture) =>
  placeOperands(capture).filter((operands) => operands.length > 0).map((operands) =>
    operands.map(({ slot, copied }) => `${slot.split(" ")[1]}${copied ? "!" : ""}`).join(" ")
  );

Deno.test("Operands stay in their textures until they are written or give way, and values are right", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const { sum, next } = record(capture);
  const [p, q] = [1, 2].map((seed) => upload(gpu, [4 * COUNT], randomValues(4 * COUNT, seed)));
  const a = next(p!), b = next(q!);
  const results = [
    sum(a, b),
    sum(b, a), // both lie there, the other way round
    sum(p!, b), // b stays where it is, p takes the place of a
    sum(a, p!), // p is no transient: it is copied
  ];
  next(q!, a);
  results.push(sum(a, b)); // a was written
  results.push(sum(b, b)); // twice the same in one dispatch
  assertEquals(readings(capture), ["0! 1!", "1 0", "0! 1", "0! 1!", "0! 1!", "1 0!"]);
  for (const result of results) capture.keep(result);
  const program = await capture.plan();
  const [x, y] = [1, 2].map((seed) => randomValues(4 * COUNT, seed));
  const f = Math.fround;
  const expected = [
    (i: number) => f(f(x![i]! + 1) + f(2 * f(y![i]! + 1))),
    (i: number) => f(f(y![i]! + 1) + f(2 * f(x![i]! + 1))),
    (i: number) => f(x![i]! + f(2 * f(y![i]! + 1))),
    (i: number) => f(f(x![i]! + 1) + f(2 * x![i]!)),
    (i: number) => f(f(y![i]! + 1) + f(2 * f(y![i]! + 1))),
    (i: number) => f(f(y![i]! + 1) + f(2 * f(y![i]! + 1))),
  ];
  const runs = [
    () => program.run(),
    () => program.run(),
    () => [...program.runInStages({}, [4, 5, capture.dispatches.length])],
    () => program.trace().forEach((dispatch) => dispatch.run()),
  ];
  for (const run of runs) {
    run();
    for (const [n, result] of results.entries()) {
      const values = Array.from({ length: 4 * COUNT }, (_, i) => expected[n]!(i));
      assertEquals([...await program.readF32(result)], values, `sum ${n}`);
    }
  }
  program.destroy();
});

Deno.test("A part of a tensor is no operand that lies there, and writing it makes the whole stale", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const { sum, next } = record(capture);
  const given = upload(gpu, [4 * COUNT], randomValues(4 * COUNT));
  const two = capture.transient([8 * COUNT], "two");
  const [first, second] = [0, 1].map((half) => ({
    ...two,
    shape: [4 * COUNT],
    byteOffset: half * 16 * COUNT,
  }));
  next(given, first!);
  next(given, second!);
  sum(two, first!);
  sum(two, second!);
  next(given, second!);
  sum(first!, two);
  assertEquals(readings(capture), ["0! 1!", "0 1!", "0! 1!"]);
});

Deno.test("An operand takes the place of the one that was read longest ago", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const { sum, double, next } = record(capture);
  const given = upload(gpu, [4 * COUNT], randomValues(4 * COUNT));
  const [a, b, c] = [next(given), next(given), next(given)];
  sum(a, b);
  double(a);
  double(c);
  double(a);
  assertEquals(readings(capture), ["0! 1!", "0", "1!", "0"]);
});
