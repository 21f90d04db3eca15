import { Capture } from "../../../device/capture.ts";
import { fillZero } from "../../../kernels/layout/fill.ts";
import { assertEquals } from "../../support/assert.ts";
import { randomTensor, testGpu } from "../../support/gpu.ts";

for (const size of [1, 7, 64, 1028]) {
  Deno.test(`fillZero() clears ${size} elements`, async () => {
    const gpu = await testGpu();
    const tensor = randomTensor(gpu, [size]);
    const capture = new Capture(gpu, "fill");
    fillZero(capture, tensor);
    const program = await capture.plan();
    program.run();
    assertEquals(await gpu.readF32(tensor), new Float32Array(size));
    program.destroy();
    gpu.destroyTensor(tensor);
  });
}
