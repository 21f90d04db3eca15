import { Capture } from "../../../device/capture.ts";
import { emaScalars, emaStep } from "../../../kernels/optim/ema.ts";
import { assertAllClose, assertThrows } from "../../support/assert.ts";
import { randomValues, testGpu, upload } from "../../support/gpu.ts";

for (const count of [1, 13, 64]) {
  Deno.test(`emaStep() follows f64 for ${count} elements and a decay near 1`, async () => {
    const gpu = await testGpu();
    const start = randomValues(count, 1), source = randomValues(count, 2);
    const average = upload(gpu, [count], start);
    const capture = new Capture(gpu, "test");
    emaStep(capture, average, upload(gpu, [count], source), upload(gpu, [2], emaScalars(0.9999)));
    const program = await capture.plan();
    for (let step = 0; step < 10; step++) program.run();
    const rest = 0.9999 ** 10;
    assertAllClose(
      await gpu.readF32(average),
      start.map((value, i) => rest * value + (1 - rest) * source[i]!),
    );
    assertThrows(
      () => emaStep(new Capture(gpu, "test"), average, gpu.tensor([3]), gpu.tensor([2])),
      RangeError,
      `[${count}], [3], [2]`,
    );
    program.destroy();
  });
}
