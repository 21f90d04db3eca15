import { checkGradient } from "../../bench/gradient_check.ts";
import { Arena } from "../../device/arena.ts";
import { assertEquals, assertRejects } from "../support/assert.ts";
import { randomValues, testGpu } from "../support/gpu.ts";

/** The loss 1 + sum w^4, whose gradient 4 w^3 is multiplied by `factor`. */
async function check(factor: number): Promise<void> {
  const gpu = await testGpu();
  const entries = [{ name: "a", shape: [3, 5] }, { name: "b", shape: [70] }];
  const weights = Arena.create(gpu, "weights", entries, 512);
  const grads = Arena.create(gpu, "gradients", entries, 512);
  const start = new Map<string, Float32Array>();
  for (const [i, [name, tensor]] of [...weights.tensors].entries()) {
    const values = randomValues(tensor.shape.reduce((a, b) => a * b), i + 1);
    start.set(name, values);
    gpu.write(tensor, values);
  }
  try {
    await checkGradient(gpu, weights, grads, async () => {
      let loss = 1;
      for (const [name, tensor] of weights.tensors) {
        const values = await gpu.readF32(tensor);
        for (const w of values) loss += w ** 4;
        gpu.write(grads.get(name), values.map((w) => factor * 4 * w ** 3));
        gpu.write(tensor, values.map((w) => w / 2));
      }
      return loss;
    });
    for (const [name, tensor] of weights.tensors) {
      assertEquals(await gpu.readF32(tensor), start.get(name));
    }
  } finally {
    weights.destroy(gpu);
    grads.destroy(gpu);
  }
}

Deno.test("checkGradient() accepts a right gradient over several chunks and puts the weights back", async () => {
  await check(1);
});

Deno.test("checkGradient() refuses a gradient that is 5 % off and names both slopes", async () => {
  await assertRejects(() => check(1.05), Error, "must be the slope of its loss");
});
