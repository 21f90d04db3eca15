import { Graph } from "../../../autograd/graph.ts";
import { add } from "../../../autograd/ops/add.ts";
import { conv2d } from "../../../autograd/ops/conv2d.ts";
import { dropout } from "../../../autograd/ops/dropout.ts";
import { groupNorm } from "../../../autograd/ops/group_norm.ts";
import { mul } from "../../../autograd/ops/mul.ts";
import { Capture } from "../../../device/capture.ts";
import { sizeOf } from "../../../device/tensor.ts";
import { assert, assertAllClose, assertEquals, assertRejects } from "../../support/assert.ts";
import { randomValues, testGpu, upload } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";
import { canPretend, withSubgroupSize } from "../../support/wide_gpu.ts";

const KEY = [0x12345678, 0x9abcdef0, 41, 7];

for (
  const [shape, groups] of [[[2, 5, 3, 8], 4], [[3, 33, 1, 12], 3], [[1, 2, 2, 6], 2]] as const
) {
  for (const silu of [false, true]) {
    Deno.test(`groupNorm() with dropout is dropout behind groupNorm() for [${shape}]${silu ? " with SiLU" : ""}`, async () => {
      const gpu = await testGpu();
      const channels = shape[3];
      const operands = [operand(shape, 1), operand([channels], 2), operand([channels], 3)];
      const random = upload(gpu, [4], KEY, "u32");
      const run = (fused: boolean, recompute: boolean) =>
        differentiate(gpu, operands, ([x, weight, bias]) => {
          const options = { groups, silu };
          return fused
            ? groupNorm(x!, weight!, bias!, { ...options, dropout: 0.3 })
            : dropout(groupNorm(x!, weight!, bias!, options), 0.3);
        }, { training: true, random, recompute });
      const apart = await run(false, false);
      assert(apart.y.includes(0));
      for (const recompute of [false, true]) {
        const fused = await run(true, recompute);
        assertEquals(fused.y, apart.y, "the same mask and the same bits");
        fused.grads.forEach((grad, i) =>
          assertAllClose(grad, apart.grads[i]!, { rtol: 1e-5, atol: 1e-6, name: `gradient ${i}` })
        );
      }
    });
  }
}

Deno.test("groupNorm() leaves dropout out where the graph does not train, but takes its stream", async () => {
  const gpu = await testGpu();
  const operands = [operand([1, 3, 3, 4], 1), operand([4], 2), operand([4], 3)];
  const random = upload(gpu, [4], KEY, "u32");
  const streams: number[] = [];
  const run = (p: number | undefined, training: boolean) =>
    differentiate(gpu, operands, ([x, weight, bias], graph) => {
      const y = groupNorm(x!, weight!, bias!, { groups: 2, dropout: p });
      streams.push(graph.nextStream());
      return y;
    }, { training, random });
  const plain = await run(undefined, true);
  assertEquals((await run(0.9, false)).y, plain.y);
  assertEquals((await run(0, true)).y, plain.y);
  assertEquals(streams, [16, 17, 17]);
});

Deno.test("groupNorm() refuses a probability of dropout outside [0, 1)", async () => {
  const gpu = await testGpu();
  const operands = [operand([1, 1, 1, 4], 1), operand([4], 2), operand([4], 3)];
  await assertRejects(
    () =>
      differentiate(
        gpu,
        operands,
        ([x, weight, bias]) => groupNorm(x!, weight!, bias!, { groups: 2, dropout: 1 }),
      ),
    RangeError,
    "p must lie in [0, 1), got 1",
  );
});

for (const size of [8, 32]) {
  for (const [side, channels, groups] of [[5, 8, 2], [3, 6, 3], [9, 64, 4], [1, 8, 2]] as const) {
    Deno.test(`groupNorm() sums its gradient over ${side}x${side} pixels for the convolution before it, ${channels} channels, subgroups of ${size}`, async () => {
      const gpu = await testGpu();
      // Convolutions of subgroups would believe the size that only the norm is told.
      if (!canPretend(gpu, size)) return;
      const total = channels + 3;
      const shapes = [[3, side, side, 4], [3, 3, 4, channels], [3, total], [channels], [channels]];
      const operands = shapes.map((shape, i) => operand(shape, i + 1));
      const random = upload(gpu, [4], KEY, "u32");
      // What feeds two ops has a gradient that no one of them can sum.
      const run = async (twice: boolean, dropout?: number) => {
        const capture = new Capture(gpu, "test");
        const graph = new Graph(withSubgroupSize(capture, size), { training: true, random });
        const [x, first, time, weight, bias] = operands.map(({ shape, values }) =>
          graph.variable(upload(gpu, shape, values))
        );
        const h = conv2d(x!, first!, { padding: [1, 1], perImage: time!, perImageStart: 2 });
        const y = groupNorm(h, weight!, bias!, { groups, silu: true, dropout });
        const zero = graph.constant(gpu.tensor(h.shape));
        const dy = upload(gpu, y.shape, randomValues(sizeOf(y.shape), 77));
        const grad = graph.backward(twice ? add(y, mul(h, zero)) : y, dy).get(time!)!;
        capture.keep(grad);
        const program = await capture.plan();
        program.run();
        const values = await program.readF32(grad);
        program.destroy();
        const names = capture.dispatches.map(({ kernel }) => kernel.name);
        return { values, summed: names.some((name) => name.includes("+sums")) };
      };
      for (const dropout of [undefined, 0.3]) {
        const fused = await run(false, dropout), apart = await run(true, dropout);
        assertEquals([fused.summed, apart.summed], [true, false]);
        assertAllClose(fused.values, apart.values, { rtol: 1e-5, atol: 1e-5 });
        assert(apart.values.some((v) => Math.abs(v) > 1e-3));
        assertEquals(
          fused.values.filter((_, i) => i % total < 2 || i % total >= 2 + channels)
            .every((v) => v === 0),
          true,
        );
      }
    });
  }
}
