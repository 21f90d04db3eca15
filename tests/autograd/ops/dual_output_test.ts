import { dualOutput } from "../../../autograd/ops/dual_output.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { checkGradients } from "../../support/check_gradients.ts";
import { testGpu, upload } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";

/** Shares of each sample: little noise, much of it, and next to no signal. */
const SHARES = [1.01, -0.1, 1.7, -1.4, 60, -59.99];

/** The image in f64. */
function reference(
  f: ArrayLike<number>,
  x: ArrayLike<number>,
  { channels, most }: { readonly channels: number; readonly most: number | null },
): Float64Array {
  const pixels = x.length / channels, area = pixels / (SHARES.length / 2);
  const y = new Float64Array(x.length);
  for (let pixel = 0; pixel < pixels; pixel++) {
    const at = pixel * (2 * channels + 2), n = Math.floor(pixel / area);
    const weights = [f[at + 2 * channels]!, f[at + 2 * channels + 1]!].map(Math.exp);
    const p = weights[0]! / (weights[0]! + weights[1]!);
    const limit = most ?? Infinity;
    for (let c = 0; c < channels; c++) {
      const i = pixel * channels + c;
      const implied = Math.fround(SHARES[2 * n]!) * x[i]! +
        Math.fround(SHARES[2 * n + 1]!) * f[at + c]!;
      const limited = Math.max(-limit, Math.min(limit, implied));
      y[i] = p * limited + (1 - p) * f[at + channels + c]!;
    }
  }
  return y;
}

for (
  const [image, channels, most] of [
    [[1, 1], 1, 2],
    [[3, 5], 3, 2],
    [[7, 1], 2, 0.7],
    [[13, 11], 4, null],
    [[2, 3, 5], 3, null],
  ] as const
) {
  const shape = [3, ...image, channels];
  Deno.test(`dualOutput() and both gradients match f64 on ${shape.join("x")}, limit ${most}`, async () => {
    const gpu = await testGpu(), shares = upload(gpu, [3, 2], SHARES);
    await checkGradients({
      operands: [operand([3, ...image, 2 * channels + 2], 5), operand(shape, 6, 0.8)],
      op: ([f, x]) => dualOutput(f!, x!, shares, most),
      reference: ([f, x]) => reference(f!, x!, { channels, most }),
      // Without a limit the last sample's image is a difference of numbers of 60 times its size.
      ...most === null ? { atol: 2e-5 } : {},
    });
  });
}

Deno.test("dualOutput() takes one output alone where its weight outweighs the other by far", async () => {
  const gpu = await testGpu(), shares = upload(gpu, [1, 2], [2, -1]);
  // Noise 0.5, image 0.25; the weights decide.
  const values = [[300, -300], [-300, 300], [1e30, 0], [0, 3e38]].flatMap((w) => [0.5, 0.25, ...w]);
  const { y, grads, dy } = await differentiate(
    gpu,
    [{ shape: [1, 4, 4], values }, { shape: [1, 4, 1], values: [0.4, 0.4, 0.4, 0.4] }],
    ([f, x]) => dualOutput(f!, x!, shares, null),
  );
  assertAllClose(y, [0.3, 0.25, 0.3, 0.25]);
  const [inF, inX] = grads;
  const by = [1, 0, 1, 0];
  assertEquals(inF!.every(Number.isFinite), true);
  by.forEach((p, i) => {
    assertAllClose(inF!.subarray(4 * i, 4 * i + 4), [-p * dy[i]!, (1 - p) * dy[i]!, 0, 0]);
    assertAllClose([inX![i]!], [2 * p * dy[i]!]);
  });
});

Deno.test("dualOutput() passes no gradient of what is limited to the noise", async () => {
  const gpu = await testGpu(), shares = upload(gpu, [1, 2], [1, -10]);
  const { grads: [inF, inX] } = await differentiate(
    gpu,
    [{ shape: [1, 2, 4], values: [1, 0, 0.3, 0, 0.1, 0, 0.3, 0] }, operand([1, 2, 1], 3, 0.1)],
    ([f, x]) => dualOutput(f!, x!, shares, 2),
  );
  assertEquals([inF![0], inX![0]], [0, 0]);
  assertEquals(inF![4] !== 0 && inX![1] !== 0 && inF![2] !== 0, true);
});

Deno.test("dualOutput() is the same where values are made again for the backward pass", async () => {
  const gpu = await testGpu(), shares = upload(gpu, [3, 2], SHARES);
  const run = (recompute: boolean) =>
    differentiate(
      gpu,
      [operand([3, 5, 8]), operand([3, 5, 3], 2)],
      ([f, x]) => dualOutput(f!, x!, shares, 2),
      { recompute },
    );
  const [kept, again] = [await run(false), await run(true)];
  assertEquals([again.y, again.grads], [kept.y, kept.grads]);
});

Deno.test("dualOutput() refuses channels and shares that do not fit the images", async () => {
  const gpu = await testGpu();
  const shares = upload(gpu, [2, 2], [1, 0, 1, 0]);
  const wrong = upload(gpu, [2], [1, 0]);
  await differentiate(gpu, [operand([2, 3, 8]), operand([2, 3, 3])], ([f, x]) => {
    assertThrows(() => dualOutput(x!, x!, shares, null), RangeError, "must give [2, 3, 8]");
    assertThrows(() => dualOutput(f!, x!, wrong, null), RangeError, "shares be [2, 2]");
    return dualOutput(f!, x!, shares, null);
  });
});
