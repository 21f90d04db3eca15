import { defineKernel } from "../../device/kernel.ts";
import { withHalves } from "../../device/half_storage.ts";
import { assert, assertEquals, assertThrows } from "../support/assert.ts";
import { compute, testGpu, upload } from "../support/gpu.ts";

const kernel = (wgsl: string) =>
  defineKernel({
    name: "kernel",
    bindings: {
      x: { type: "vec4f", access: "read" },
      y: { type: "vec4f", access: "read_write" },
      n: { type: "u32", access: "read" },
    },
    params: {},
    workgroupSize: [1, 1, 1],
    wgsl,
  });

for (
  const [text, expected] of [
    ["let a = x[i];", "let a = vec4f(x[i]);"],
    ["let a = x[i].y + x[i][k];", "let a = vec4f(x[i]).y + vec4f(x[i])[k];"],
    ["y[i] = x[n[i]] * 2.0;", "y[i] = vec4h(vec4f(x[n[i]]) * 2.0);"],
    ["y[i] += a;", "y[i] = vec4h(vec4f(y[i]) + (a));"],
    [
      "y[i].w = x[i].x; y[i][k] *= b;",
      "y[i].w = f16(vec4f(x[i]).x); y[i][k] = f16(f32(y[i][k]) * (b));",
    ],
    [
      "if (y[i].x == x[u32(x[0].x)].x) {}",
      "if (vec4f(y[i]).x == vec4f(x[u32(vec4f(x[0]).x)]).x) {}",
    ],
    [
      "{ y[i] = select(a, f(x[i], b[2]), c); }",
      "{ y[i] = vec4h(select(a, f(vec4f(x[i]), b[2]), c)); }",
    ],
    ["let a = params.x[i] + xy[i]; // x[i]", "let a = params.x[i] + xy[i]; "],
  ] as const
) {
  Deno.test(`withHalves() makes of "${text}" what halves need`, () => {
    assertEquals(withHalves(kernel(text), new Set(["x", "y"])).wgsl, expected);
  });
}

Deno.test("withHalves() changes the bindings that are halves, and says so in the name", () => {
  const { name, bindings, wgsl } = withHalves(kernel("y[0] = x[0];"), new Set(["y"]));
  assertEquals([bindings.x!.type, bindings.y!.type, bindings.n!.type], ["vec4f", "vec4h", "u32"]);
  assertEquals([name, wgsl], ["kernel.mixed", "y[0] = vec4h(x[0]);"]);
  assertEquals(withHalves(kernel(""), new Set(["x", "y"])).name, "kernel.f16");
  const same = kernel("");
  assert(withHalves(same, new Set()) === same);
});

Deno.test("withHalves() refuses integers and a variable of the binding's name", () => {
  assertThrows(() => withHalves(kernel(""), new Set(["n"])), TypeError, "n must be u32, got f16");
  assertThrows(
    () => withHalves(kernel("let x = 1.0;"), new Set(["x"])),
    TypeError,
    "Cannot use kernel kernel with halves: x must be f32, as a variable has its name",
  );
});

Deno.test("Capture.dispatch() loads halves as floats and rounds what it stores", async () => {
  const gpu = await testGpu();
  if (!gpu.has("shader-f16")) return;
  const sum = defineKernel({
    name: "sum",
    bindings: { x: { type: "vec4f", access: "read" }, y: { type: "f32", access: "read_write" } },
    params: {},
    workgroupSize: [4, 1, 1],
    wgsl: `@compute @workgroup_size(WX, WY, WZ) fn main(@builtin(local_invocation_id) id: vec3u) {
  let i = id.x;
  y[i] = 1e-4;
  y[i] += x[0][i] * 3.0;
}`,
  });
  for (const [dx, dy] of [["f16", "f16"], ["f16", "f32"], ["f32", "f16"]] as const) {
    const x = upload(gpu, [4], [1, 1000.5, 65504, -2e-3], dx);
    const { y } = await compute(gpu, (capture) => {
      const y = upload(gpu, [4], [0, 0, 0, 0], dy);
      capture.dispatch({ kernel: sum, bindings: { x, y }, params: {}, workgroups: [1, 1, 1] });
      return { y };
    });
    const stored = dy === "f16" ? Math.f16round : Math.fround;
    const third = dx === "f16" ? Math.f16round(-2e-3) : Math.fround(-2e-3);
    const first = stored(Math.fround(1e-4));
    const expected = [1, 1000.5, 65504, third].map((v) => stored(Math.fround(first + 3 * v)));
    assertEquals(
      [...y],
      dy === "f16" ? [expected[0], expected[1], Infinity, expected[3]] : expected,
    );
  }
});
