import { guide } from "../../../kernels/process/guidance.ts";
import { assertAllClose } from "../../support/assert.ts";
import { compute, randomValues, testGpu, upload } from "../../support/gpu.ts";

for (const [length, keep, rescale] of [[7, 0, 0], [150, 0.3, 0.4]] as const) {
  Deno.test(`guide() leaves out what is parallel to the class's prediction, ${length} elements, ${keep} kept`, async () => {
    const gpu = await testGpu();
    const n = 3, scale = 2.5, size = n * length;
    const c = randomValues(size, 1), u = randomValues(size, 2);
    const strength = { scale, rescale, channels: 1, keepParallel: keep };
    const { guided } = await compute(gpu, (capture) => ({
      guided: guide(capture, {
        conditional: upload(gpu, [n, length, 1], c),
        unconditional: upload(gpu, [n, length, 1], u),
      }, strength),
    }));
    const expected = Array.from({ length: n }, (_, image) => {
      const at = Array.from({ length }, (_, i) => image * length + i);
      const dot = (a: (i: number) => number, b: (i: number) => number) =>
        at.reduce((total, i) => total + a(i) * b(i), 0);
      const share = dot((i) => c[i]! - u[i]!, (i) => c[i]!) / dot((i) => c[i]!, (i) => c[i]!);
      const y = at.map((i) => c[i]! + (scale - 1) * (c[i]! - u[i]! - (1 - keep) * share * c[i]!));
      const deviation = (values: number[]) => {
        const mean = values.reduce((a, b) => a + b) / length;
        return Math.sqrt(values.reduce((a, b) => a + (b - mean) ** 2, 0));
      };
      const ratio = deviation(at.map((i) => c[i]!)) / deviation(y);
      return y.map((value) => value * (rescale * ratio + 1 - rescale));
    });
    assertAllClose(guided, expected.flat(), { atol: 3e-6 });
  });
}
