import { Capture } from "../../device/capture.ts";
import type { Recording } from "../../device/dispatch.ts";
import { full } from "../../device/element.ts";
import { BYTES, type DType, type Width } from "../../device/element.ts";
import { createTextures, fitsTexture } from "../../device/operand_textures.ts";
import { toHostArray } from "../../device/tensor.ts";
import { assert, assertEquals } from "../support/assert.ts";
import { randomValues, testGpu, upload } from "../support/gpu.ts";

const OPERANDS: readonly (readonly [DType, Width])[] = [
  ...[["f32", 1], ["f32", 2], ["f32", 4], ["f16", 2], ["f16", 4]] as const,
];

Deno.test("Kernels read operands of floats and halves from textures, through whole rows and the rest", async () => {
  const gpu = await testGpu();
  for (const [dtype, width] of OPERANDS) {
    if (dtype === "f16" && !gpu.has("shader-f16")) continue;
    // A part of a row alone, exactly one row, and two rows with a rest.
    for (const elements of [3, 2048, 5000]) {
      const random = (count: number, seed: number) =>
        Float32Array.from(toHostArray(dtype, randomValues(count, seed)));
      const values = random(elements * width, width), other = random(8 * width, 9);
      const x = upload(gpu, [values.length], values, dtype);
      const y = upload(gpu, [other.length], other, dtype);
      const capture = new Capture(gpu, "textured");
      const out = capture.keep(capture.transient(x.shape, "out"));
      const type = full(width);
      capture.dispatch({
        kernel: {
          name: `textured.${type}`,
          bindings: {
            out: { type, access: "write" },
            x: { type, access: "read", textured: true },
            // A second texture of the same format.
            y: { type, access: "read", textured: true },
          },
          params: { n: "u32" },
          workgroupSize: [64, 1, 1],
          wgsl: `
@compute @workgroup_size(WX, WY, WZ)
fn main(@builtin(global_invocation_id) global: vec3u) {
  if (global.x < params.n) { out[global.x] = x_at(global.x) + y_at(global.x % 8u); }
}`,
        },
        bindings: { x, y, out },
        params: { n: elements },
        workgroups: [Math.ceil(elements / 64), 1, 1],
      });
      const program = await capture.plan();
      const { submits: _, ...before } = gpu.counters;
      for (let run = 0; run < 2; run++) program.run();
      const expected = values.map((value, i) => value + other[i % other.length]!);
      assertEquals([...await program.readF32(out)], [...expected]);
      const { submits: __, ...after } = gpu.counters;
      assertEquals(after, before);
      const { peakBytes, textureBytes } = program.memory;
      assert(textureBytes >= 2 * 2048 * BYTES[dtype] * width);
      assert(peakBytes >= out.shape[0]! * 4 + textureBytes);
      program.destroy();
    }
  }
});

Deno.test("createTextures() makes enough rows, and never a power of two of them", async () => {
  const gpu = await testGpu();
  for (const rows of [1, 2, 3, 4, 5, 7, 8, 31, 32]) {
    const bytes = rows * 2048 * 4 - 4;
    const format = "r32float";
    const operand = { binding: 0, slot: "0", format, bytes, texelBytes: 4, copied: true } as const;
    const [texture] = createTextures({ gpu, name: "test" } as Recording, [[operand]]).values();
    const { width, height } = texture!;
    assertEquals(width, 2048);
    assert(height >= rows && height <= Math.max(3, rows + 1), `${rows} rows, got ${height}`);
    assert((height & (height - 1)) !== 0, `${rows} rows, got ${height}`);
    texture!.destroy();
  }
});

Deno.test("fitsTexture() tells what is too large for a texture, and what there is no format for", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const rows = gpu.limits.maxTextureDimension2D;
  const of = (floats: number, dtype: DType = "f32") => capture.transient([floats], "x", dtype);
  assertEquals(
    [
      fitsTexture(gpu, of(2048 * rows), 1),
      fitsTexture(gpu, of(2048 * rows + 1), 1),
      fitsTexture(gpu, of(2048 * rows + 4), 4),
      fitsTexture(gpu, of(8, "u32"), 1),
      fitsTexture(gpu, of(8, "f16"), 1),
      fitsTexture(gpu, of(8, "f16"), 2),
    ],
    [true, false, true, false, false, true],
  );
});
