import { cosineFeatures } from "../../../autograd/ops/cosine_features.ts";
import { fourierFeatures } from "../../../autograd/ops/fourier_features.ts";
import { rootLogistic } from "../../../autograd/ops/root_logistic.ts";
import { sinusoids } from "../../../autograd/ops/sinusoids.ts";
import { sinusoidTable } from "../../../model/time_embedding.ts";
import { checkGradients } from "../../support/check_gradients.ts";
import { testGpu, upload } from "../../support/gpu.ts";

const LEVELS = Float32Array.of(-9.3, 0.4, 3.75, 8.125, -2.5);

Deno.test("fourierFeatures() has the f64 formula's gradients in numbers and in frequencies", async () => {
  const frequencies = Float32Array.of(0.125, -0.37, 1.5);
  await checkGradients({
    operands: [{ shape: [5], values: LEVELS }, { shape: [3], values: frequencies }],
    op: ([numbers, w]) => fourierFeatures(numbers!, w!),
    reference: ([numbers, w]) =>
      Array.from(numbers!).flatMap((t) => [
        ...Array.from(w!, (f) => Math.sin(2 * Math.PI * t * f)),
        ...Array.from(w!, (f) => Math.cos(2 * Math.PI * t * f)),
      ]),
  });
});

Deno.test("sinusoids() has the f64 formula's gradient in levels, of its table and beyond", async () => {
  const rows = 7, width = 10, gpu = await testGpu();
  const frequencies = Array.from({ length: width / 2 }, (_, i) => 10000 ** (-2 * i / width));
  const table = upload(gpu, [rows, width], sinusoidTable(rows, width));
  await checkGradients({
    operands: [{ shape: [5], values: LEVELS }],
    op: ([levels]) => sinusoids(levels!, table, upload(gpu, [width / 2], frequencies)),
    reference: ([levels]) =>
      Array.from(levels!).flatMap((t) =>
        frequencies.flatMap((w) => [Math.sin(t * Math.fround(w)), Math.cos(t * Math.fround(w))])
      ),
  });
});

Deno.test("cosineFeatures() has the f64 formula's gradient in numbers", async () => {
  const gpu = await testGpu(), frequencies = [6.1, -2.5, 0.3, 14], phases = [0.4, 5.9, 3.3, 1];
  const [w, p] = [frequencies, phases].map((values) => upload(gpu, [4], values));
  await checkGradients({
    operands: [{ shape: [5], values: LEVELS }],
    op: ([numbers]) => cosineFeatures(numbers!, w!, p!),
    reference: ([numbers]) =>
      Array.from(numbers!).flatMap((x) =>
        frequencies.map((f, i) =>
          Math.SQRT2 * Math.cos(x * Math.fround(f) + Math.fround(phases[i]!))
        )
      ),
  });
});

Deno.test("rootLogistic() and its gradient match f64 where it is next to 0 and to 1", async () => {
  await checkGradients({
    operands: [{ shape: [7], values: Float32Array.of(-20, -10, -1, 0, 0.3, 9.2, 30) }],
    op: ([x]) => rootLogistic(x!),
    reference: ([x]) => x!.map((value) => 1 / Math.sqrt(1 + Math.exp(-value))),
  });
});
