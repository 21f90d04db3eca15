import type { Tensor } from "../../../autograd/graph.ts";
import {
  amplitude,
  fft2,
  ifft2,
  log1pAmplitude,
  logAmplitude,
  power,
} from "../../../autograd/ops/fft.ts";
import { dft2, type PlaneShape } from "../../reference/fft.ts";
import { finiteDifference } from "../../reference/finite_difference.ts";
import { assertAllClose, assertEquals } from "../../support/assert.ts";
import { differentiate, operand } from "../../support/gradients.ts";
import { testGpu } from "../../support/gpu.ts";

const SHAPE: PlaneShape = { samples: 2, height: 6, width: 5, channels: 3 };
const AXES = [2, 6, 5, 3];
const POINTS = 30;

/** A function on the GPU and in f64. */
interface Case {
  readonly name: string;
  readonly complex?: boolean;
  readonly gpu: (x: Tensor) => Tensor;
  readonly f64: (x: Float64Array) => Float64Array;
}

const size = (z: Float64Array, f: (a: number) => number) =>
  Float64Array.from({ length: z.length / 2 }, (_, i) => f(Math.hypot(z[2 * i]!, z[2 * i + 1]!)));
const forward = (x: Float64Array) => dft2(x, SHAPE);
const scaled = (factor: number, inverse = false) => (x: Float64Array) =>
  dft2(x, SHAPE, inverse).map((value) => value * factor);

const CASES: readonly Case[] = [
  { name: "fft2() of real images", gpu: (x) => fft2(x), f64: forward },
  { name: "fft2() of complex images", complex: true, gpu: (x) => fft2(x), f64: forward },
  {
    name: "fft2() with norm ortho",
    gpu: (x) => fft2(x, { norm: "ortho" }),
    f64: scaled(1 / Math.sqrt(POINTS)),
  },
  {
    name: "ifft2() of complex images",
    complex: true,
    gpu: (x) => ifft2(x),
    f64: scaled(1 / POINTS, true),
  },
  {
    name: "ifft2() of real images with norm ortho",
    gpu: (x) => ifft2(x, { norm: "ortho" }),
    f64: scaled(1 / Math.sqrt(POINTS), true),
  },
  { name: "amplitude()", gpu: (x) => amplitude(fft2(x)), f64: (x) => size(forward(x), (a) => a) },
  { name: "power()", gpu: (x) => power(fft2(x)), f64: (x) => size(forward(x), (a) => a * a) },
  {
    name: "logAmplitude()",
    gpu: (x) => logAmplitude(fft2(x)),
    f64: (x) => size(forward(x), (a) => Math.log(a + 1e-8)),
  },
  {
    name: "log1pAmplitude()",
    gpu: (x) => log1pAmplitude(fft2(x)),
    f64: (x) => size(forward(x), (a) => Math.log(1 + a)),
  },
];

for (const { name, complex = false, gpu: onGpu, f64 } of CASES) {
  Deno.test(`${name} and its gradient match f64`, async () => {
    const gpu = await testGpu();
    const x = operand(complex ? [...AXES, 2] : AXES, 11);
    const { y, dy, grads } = await differentiate(gpu, [x], ([input]) => onGpu(input!));
    assertAllClose(y, f64(Float64Array.from(x.values)), { atol: 1e-5 });
    const expected = finiteDifference(([input]) => f64(input!), [x.values], 0, dy);
    assertEquals(grads[0]!.length, expected.length);
    assertAllClose(grads[0]!, expected, { rtol: 1e-4, atol: 2e-5, name: "gradient" });
  });
}

// The adjoint of x -> F x is its conjugate transpose, so the gradient is a transform of `dy` in f64.
for (const [height, width] of [[88, 6], [5, 127], [104, 160], [1, 509], [250, 3], [256, 16]]) {
  Deno.test(`fft2() and ifft2() of ${height}x${width} and their gradients match f64`, async () => {
    const gpu = await testGpu();
    const shape = { samples: 1, height: height!, width: width!, channels: 2 };
    const axes = [1, height!, width!, 2];
    const norm = 1 / Math.sqrt(height! * width!);
    for (const inverse of [false, true]) {
      const x = operand([...axes, 2], 7);
      const { y, dy, grads } = await differentiate(
        gpu,
        [x],
        ([z]) => (inverse ? ifft2 : fft2)(z!, { norm: "ortho" }),
      );
      const expected = (values: ArrayLike<number>, back: boolean) =>
        dft2(values, shape, back).map((value) => value * norm);
      assertAllClose(y, expected(x.values, inverse), { atol: 2e-6 });
      assertAllClose(grads[0]!, expected(dy, !inverse), { atol: 2e-6, name: "gradient" });
    }
  });
}

Deno.test("ifft2() undoes fft2(), with either norm", async () => {
  const gpu = await testGpu();
  const x = operand([...AXES, 2], 3);
  for (const norm of ["backward", "ortho"] as const) {
    const { y } = await differentiate(gpu, [x], ([z]) => ifft2(fft2(z!, { norm }), { norm }));
    assertAllClose(y, x.values, { atol: 2e-6 });
  }
});

Deno.test("amplitude() of a black image has gradient 0, not NaN", async () => {
  const gpu = await testGpu();
  const black = { shape: AXES, values: new Float32Array(180) };
  for (const f of [amplitude, power, logAmplitude, log1pAmplitude]) {
    const { grads } = await differentiate(gpu, [black], ([x]) => f(fft2(x!)));
    assertEquals(grads[0]!.every((value) => value === 0), true);
  }
});
