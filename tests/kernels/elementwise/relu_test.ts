import { affineForward } from "../../../kernels/elementwise/affine.ts";
import { reluConcat, reluInPlace } from "../../../kernels/elementwise/relu.ts";
import { copyInto } from "../../../kernels/elementwise/add.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

const rectified = (values: ArrayLike<number>) => Array.from(values, (x) => x < 0 ? 0 : x);

for (const count of [1, 7, 8, 1021]) {
  Deno.test(`reluInPlace() replaces the negative ones of ${count} numbers`, async () => {
    const gpu = await testGpu();
    const values = randomValues(count);
    const { x } = await compute(gpu, (capture) => {
      const x = capture.transient([count], "x");
      copyInto(capture, x, upload(gpu, [count], values));
      reluInPlace(capture, x);
      return { x };
    });
    assertEquals([...x], rectified(values));
  });
}

Deno.test("reluInPlace() leaves a NaN one", async () => {
  const gpu = await testGpu();
  const x = upload(gpu, [4], [NaN, -1, 2, -Infinity]);
  await compute(gpu, (capture) => {
    reluInPlace(capture, x);
    return { y: affineForward(capture, x, 1, 0) };
  });
  assertEquals([...await gpu.read(x)], [NaN, 0, 2, 0]);
});

for (const widths of [[3], [3, 5], [4, 8, 4], [4, 1, 12]]) {
  Deno.test(`reluConcat() joins the rectified parts of ${widths} channels`, async () => {
    const gpu = await testGpu();
    const rows = 2 * 3 * 5;
    const parts = widths.map((width, i) => randomValues(rows * width, i + 1));
    const { y } = await compute(gpu, (capture) => ({
      y: reluConcat(
        capture,
        parts.map((values, i) => upload(gpu, [2, 3, 5, widths[i]!], values)),
      ),
    }));
    const expected = Array.from(
      { length: rows },
      (_, row) =>
        parts.flatMap((
          values,
          i,
        ) => [...values.subarray(row * widths[i]!, (row + 1) * widths[i]!)]),
    );
    assertEquals([...y], rectified(expected.flat()));
  });
}

Deno.test("reluConcat() refuses no parts and parts of other images", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const part = upload(gpu, [1, 2, 3], randomValues(6));
    const other = upload(gpu, [2, 1, 3], randomValues(6));
    assertThrows(() => reluConcat(capture, []), RangeError, "got none");
    assertThrows(() => reluConcat(capture, [part, other]), RangeError, "[1, 2, 3] and [2, 1, 3]");
    return { y: reluConcat(capture, [part]) };
  });
});

for (const count of [1, 5, 16]) {
  Deno.test(`affineForward() scales and shifts ${count} numbers`, async () => {
    const gpu = await testGpu();
    const values = randomValues(count);
    const { y } = await compute(gpu, (capture) => ({
      y: affineForward(capture, upload(gpu, [count], values), 2, -1),
    }));
    assertAllClose(y, Array.from(values, (x) => 2 * x - 1), { name: "y" });
  });
}
