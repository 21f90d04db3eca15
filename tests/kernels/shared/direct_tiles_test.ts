import { Capture } from "../../../device/capture.ts";
import type { Gpu } from "../../../device/gpu.ts";
import type { BindingSpec } from "../../../device/kernel.ts";
import type { TensorRef } from "../../../device/tensor.ts";
import { conv2dForward, conv2dInputGrad, conv2dShape } from "../../../kernels/conv2d/conv2d.ts";
import { matmul } from "../../../kernels/matmul/matmul.ts";
import { setVariantPolicy } from "../../../kernels/shared/variants.ts";
import { assert, assertEquals } from "../../support/assert.ts";
import { compute, randomTensor, restorePolicy, testGpu } from "../../support/gpu.ts";
import { pretending } from "../../support/wide_gpu.ts";
import { weightGrads } from "../../support/weight_grads.ts";

type Recorder = (capture: Capture) => Record<string, TensorRef>;

/** Products of every kind that has tiles of subgroups. */
function products(gpu: Gpu): Record<string, Recorder> {
  const list: Record<string, Recorder> = {};
  const [m, n, k] = [72, 44, 36];
  for (const aT of [false, true]) {
    for (const bT of [false, true]) {
      list[`matmul ${aT} ${bT}`] = (capture) => ({
        y: matmul(capture, {
          a: { tensor: randomTensor(gpu, [m * k], 1), row: aT ? m : k, transposed: aT },
          b: { tensor: randomTensor(gpu, [k * n], 2), row: bT ? k : n, transposed: bT },
          ...{ m, n, k },
        }),
      });
    }
  }
  for (const [ci, co] of [[8, 36], [36, 8], [3, 16], [16, 3]] as const) {
    list[`convolution ${ci} to ${co}`] = (capture) => {
      const x = randomTensor(gpu, [2, 9, 7, ci], 1), weight = randomTensor(gpu, [3, 3, ci, co], 2);
      const shape = conv2dShape(x.shape, weight, { padding: [1, 1] });
      const dy = randomTensor(gpu, [2, 9, 7, co], 3);
      return {
        y: conv2dForward(capture, x, weight, shape),
        dx: conv2dInputGrad(capture, dy, weight, shape),
        ...weightGrads(capture, x, dy, shape),
      };
    };
  }
  return list;
}

/** The results, and the text of the kernels. */
async function run(gpu: Gpu, record: Recorder, slow: boolean) {
  const before = gpu.slowBroadcasts;
  const texts: string[] = [];
  gpu.slowBroadcasts = slow;
  setVariantPolicy(gpu, { forced: "subgroup" });
  try {
    const values = await compute(gpu, (capture) => {
      const results = record(capture);
      texts.push(...capture.dispatches.map(({ kernel }) => kernel.wgsl));
      return results;
    });
    return { values, text: texts.join("\n") };
  } finally {
    gpu.slowBroadcasts = before;
    restorePolicy(gpu);
  }
}

Deno.test("products without broadcasts have the bits of those with them", async () => {
  const gpu = await testGpu();
  if (gpu.subgroupSize === 0 || gpu.subgroupSize > 32) return;
  for (const [name, record] of Object.entries(products(gpu))) {
    const shared = await run(gpu, record, false), direct = await run(gpu, record, true);
    assert(shared.text.includes("subgroupBroadcast"), name);
    assert(!direct.text.includes("subgroupBroadcast"), name);
    assertEquals(direct.values, shared.values, name);
  }
});

Deno.test("products without broadcasts read no textures", async () => {
  const gpu = await testGpu();
  if (gpu.subgroupSize === 0) return;
  setVariantPolicy(gpu, { forced: "texture" });
  try {
    for (const slow of [true, false]) {
      const pretended = pretending(gpu, "slowBroadcasts", slow);
      const capture = new Capture(pretended, "textures");
      products(gpu)["matmul false false"]!(capture);
      const textured = capture.dispatches.some(({ kernel }) =>
        Object.values<BindingSpec>(kernel.bindings).some(({ textured }) => textured)
      );
      assertEquals(textured, !slow);
    }
  } finally {
    restorePolicy(gpu);
  }
});
