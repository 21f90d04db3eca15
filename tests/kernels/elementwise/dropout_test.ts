import { Graph } from "../../../autograd/graph.ts";
import { dropout } from "../../../autograd/ops/dropout.ts";
import { Capture } from "../../../device/capture.ts";
import { bernoulli } from "../../../support/philox.ts";
import { wordsOf } from "../../reference/random.ts";
import { assert, assertAllClose, assertEquals, assertRejects } from "../../support/assert.ts";
import { testGpu, upload } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";

const KEY = [0x12345678, 0x9abcdef0, 41, 7] as const;

for (const shape of [[2, 3, 3, 4], [3, 5, 7], [4, 1]]) {
  Deno.test(`dropout() drops by the host's events, backward too, for [${shape}]`, async () => {
    const gpu = await testGpu();
    const x = operand(shape), p = 0.4;
    const random = upload(gpu, [4], KEY, "u32");
    const out = await differentiate(
      gpu,
      [x],
      ([x]) => dropout(dropout(x!, 0), p),
      { training: true, random },
    );
    const length = x.values.length / shape[0]!;
    // The dropout of probability 0 has taken stream 16.
    const factor = Float64Array.from(out.y, (_, i) => {
      const e = i % length;
      const word = wordsOf(KEY, 17, Math.floor(i / length), e >> 2)[e % 4]!;
      return bernoulli(word, p) ? 0 : 1 / (1 - p);
    });
    assert(factor.includes(0) || length === 1);
    assertAllClose(out.y, factor.map((f, i) => f * x.values[i]!), { name: "y" });
    assertAllClose(out.grads[0]!, factor.map((f, i) => f * out.dy[i]!), { name: "dx" });
  });
}

Deno.test("dropout() is the identity where the graph does not train", async () => {
  const gpu = await testGpu();
  const capture = new Capture(gpu, "test");
  const graph = new Graph(capture);
  const x = graph.variable(upload(gpu, [4], [1, 2, 3, 4]));
  assert(dropout(x, 0.5) === x);
  assertEquals(capture.dispatches.length, 0);
});

Deno.test("dropout() refuses probabilities outside [0, 1)", async () => {
  const gpu = await testGpu();
  for (const p of [-0.1, 1, NaN]) {
    await assertRejects(
      () => differentiate(gpu, [operand([4])], ([x]) => dropout(x!, p)),
      RangeError,
      `got ${p}`,
    );
  }
});
