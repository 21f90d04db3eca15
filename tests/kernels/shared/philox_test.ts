import { Capture } from "../../../device/capture.ts";
import { defineKernel } from "../../../device/kernel.ts";
import { DISTRIBUTIONS, PHILOX } from "../../../kernels/shared/philox.ts";
import { normalPair } from "../../reference/random.ts";
import { assertAllClose, assertEquals } from "../../support/assert.ts";
import { testGpu, upload } from "../../support/gpu.ts";

/** Applies a WGSL expression of `words: vec4u` or of `input[6 i + k]` to rows of `width` words. */
async function evaluate(
  rows: readonly (readonly number[])[],
  type: "vec4u" | "vec4f",
  expression: string,
): Promise<number[][]> {
  const gpu = await testGpu();
  const width = rows[0]!.length;
  const capture = new Capture(gpu, "test");
  const input = upload(gpu, [rows.length * width], rows.flat(), "u32");
  const result = capture.transient([rows.length, 4], "result", type === "vec4u" ? "u32" : "f32");
  capture.dispatch({
    kernel: defineKernel({
      name: "philoxTest",
      bindings: { input: { type: "u32", access: "read" }, result: { type, access: "write" } },
      params: { items: "u32" },
      workgroupSize: [64, 1, 1],
      wgsl: `${PHILOX}${DISTRIBUTIONS}
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u) {
  if (global.x >= params.items) { return; }
  let i = ${width}u * global.x;
  let words = vec4u(input[i], input[i + 1u], input[i + 2u], input[i + 3u]);
  result[global.x] = ${expression};
}`,
    }),
    bindings: { input, result },
    params: { items: rows.length },
    workgroups: [Math.ceil(rows.length / 64), 1, 1],
  });
  capture.keep(result);
  const program = await capture.plan();
  program.run();
  const flat = await program.read(result);
  program.destroy();
  return rows.map((_, i) => [...flat.slice(4 * i, 4 * i + 4)]);
}

Deno.test("philox4x32() in WGSL gives Random123's published words", async () => {
  const ones = 0xffffffff;
  const known = [
    [[0, 0, 0, 0, 0, 0], [0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8]],
    [[ones, ones, ones, ones, ones, ones], [0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd]],
    [
      [0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344, 0xa4093822, 0x299f31d0],
      [0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1],
    ],
  ] as const;
  const words = await evaluate(
    known.map(([input]) => input),
    "vec4u",
    "philox4x32(words, vec2u(input[i + 4u], input[i + 5u]))",
  );
  assertEquals(words, known.map(([, output]) => [...output]));
});

Deno.test("normal4() is accurate at the ends of its words and in between", async () => {
  const ends = [0, 1, 2, 3, 255, 256, 0xffffff, 0x1000000, 0x7fffffff, 0x80000000, 0xb504f333];
  const angles = [0, 1, 0x1fffffff, 0x20000000, 0x3fffffff, 0x40000000, 0x60000000, 0x7fffffff];
  const words = [...ends, ...angles, ...ends.map((w) => 0xffffffff - w)];
  const rows = words.flatMap((word, i) =>
    words.map((
      angle,
      k,
    ) => [word, angle, words[(i + 7) % words.length]!, words[(k + 3) % words.length]!])
  );
  const values = await evaluate(rows, "vec4f", "normal4(words)");
  const expected = rows.map(([a, b, c, d]) => [...normalPair(a!, b!), ...normalPair(c!, d!)]);
  assertAllClose(values.flat(), expected.flat(), { rtol: 2e-6, atol: 3e-7 });
});

Deno.test("uniform4() is never 0 and reaches 1", async () => {
  const rows = [[0, 0xff, 0x100, 0xffffffff]];
  const [values] = await evaluate(rows, "vec4f", "uniform4(words)");
  assertEquals(values, [2 ** -24, 2 ** -24, 2 ** -23, 1]);
});
