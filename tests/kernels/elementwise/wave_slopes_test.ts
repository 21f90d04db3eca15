import { waveSlopes } from "../../../kernels/elementwise/wave_slopes.ts";
import { assertThrows } from "../../support/assert.ts";
import { compute, randomTensor, testGpu } from "../../support/gpu.ts";

Deno.test("waveSlopes() refuses sinusoids that are not two a frequency", async () => {
  const gpu = await testGpu();
  await compute(gpu, (capture) => {
    const [y, frequencies] = [randomTensor(gpu, [3, 8]), randomTensor(gpu, [3])];
    assertThrows(
      () => waveSlopes(capture, { y, dy: y, frequencies }, { order: "pairs", factor: 1 }),
      RangeError,
      "shape [N, 2 F] for F frequencies, got [3, 8], [3, 8], [3]",
    );
    return { y };
  });
});
