import { sinusoidRows } from "../../../kernels/layout/sinusoids.ts";
import { sinusoidTable } from "../../../model/time_embedding.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, testGpu, upload } from "../../support/gpu.ts";

const ROWS = 50, WIDTH = 12;
const table = sinusoidTable(ROWS, WIDTH);
const frequencies = Array.from({ length: WIDTH / 2 }, (_, i) => 10000 ** (-2 * i / WIDTH));

async function rowsAt(levels: number[]): Promise<Float32Array> {
  const gpu = await testGpu();
  const { rows } = await compute(gpu, (capture) => ({
    rows: sinusoidRows(
      capture,
      upload(gpu, [ROWS, WIDTH], table),
      upload(gpu, [WIDTH / 2], frequencies),
      upload(gpu, [levels.length], levels),
    ),
  }));
  return rows as Float32Array;
}

Deno.test("sinusoidRows() gives the table's own rows at whole levels, bit for bit", async () => {
  const rows = await rowsAt([0, 17, 49]);
  const expected = [0, 17, 49].flatMap((t) => [...table.subarray(t * WIDTH, (t + 1) * WIDTH)]);
  assertEquals([...rows], expected);
});

Deno.test("sinusoidRows() matches f64 between rows, below them and beyond", async () => {
  const levels = [0.25, 3.5, 17.75, 48.9, -1.6, 52.3];
  const rows = await rowsAt(levels);
  const expected = levels.flatMap((level) =>
    frequencies.flatMap((w) => {
      const angle = Math.fround(level) * w;
      return [Math.sin(angle), Math.cos(angle)];
    })
  );
  assertAllClose(rows, expected, { rtol: 0, atol: 1e-6 });
});

Deno.test("sinusoidRows() refuses frequencies that are not half the table's width", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const levels = upload(gpu, [1], [0]);
    const all = upload(gpu, [ROWS, WIDTH], table), few = upload(gpu, [2], [1, 1]);
    assertThrows(() => sinusoidRows(capture, all, few, levels), RangeError, "F frequencies");
    return { levels };
  });
});
