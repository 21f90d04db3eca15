import { Capture } from "../../../device/capture.ts";
import { packThree, unpackThree } from "../../../kernels/layout/packed.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

for (const [rows, channels, groups] of [[5, 8, 1], [3, 8, 2], [2, 15, 5], [1, 6, 6], [7, 3, 1]]) {
  Deno.test(`unpackThree() and packThree() move ${rows} rows of 3 x ${channels} channels in ${groups} groups`, async () => {
    const gpu = await testGpu();
    const values = randomValues(rows! * 3 * channels!);
    const found = await compute(gpu, (capture) => {
      const packed = upload(gpu, [rows!, 3 * channels!], values);
      const [a, b, c] = unpackThree(capture, packed, groups!);
      return { a, b, c, again: packThree(capture, [a, b, c], groups!) };
    });
    const size = channels! / groups!;
    [found.a, found.b, found.c].forEach((part, p) => {
      const expected = Array.from({ length: rows! * channels! }, (_, i) => {
        const row = Math.floor(i / channels!), c = i % channels!;
        return values[(row * groups! + Math.floor(c / size)) * 3 * size + p * size + c % size]!;
      });
      assertAllClose(part, expected, { rtol: 0, atol: 0, name: `part ${p}` });
    });
    assertEquals(found.again, values);
  });
}

Deno.test("unpackThree() refuses channels that groups do not divide into three", async () => {
  const gpu = await testGpu();
  assertThrows(
    () => unpackThree(new Capture(gpu, "test"), gpu.tensor([2, 12]), 3),
    RangeError,
    "three times a multiple of 3 groups, got [2, 12]",
  );
});
