import { film } from "../../../autograd/ops/film.ts";
import { checkGradients } from "../../support/check_gradients.ts";
import { operand } from "../../support/gradients.ts";
import { assertThrows } from "../../support/assert.ts";
import { Graph } from "../../../autograd/graph.ts";
import { Capture } from "../../../device/capture.ts";
import { testGpu } from "../../support/gpu.ts";

for (
  const [n, places, channels, row, start, silu] of [
    [2, 3, 5, 13, 2, true],
    [3, 70, 4, 12, 4, false],
    [1, 33, 8, 16, 0, true],
  ] as const
) {
  Deno.test(`film() and its gradients match the f64 formula for [${n}, ${places}, ${channels}] from column ${start}`, async () => {
    await checkGradients({
      operands: [operand([n, places, 1, channels], 1), operand([n, row], 2)],
      op: ([x, matrix]) => film(x!, matrix!, { start, silu }),
      reference: ([x, matrix]) =>
        x!.map((value, i) => {
          const at = Math.floor(i / channels / places) * row + start + i % channels;
          const z = value * (1 + matrix![at]!) + matrix![at + channels]!;
          return silu ? z / (1 + Math.exp(-z)) : z;
        }),
    });
  });
}

Deno.test("film() refuses a matrix without the columns", async () => {
  const gpu = await testGpu();
  const graph = new Graph(new Capture(gpu, "test"));
  const [x, matrix] = [gpu.tensor([2, 3, 4]), gpu.tensor([2, 9])].map((t) => graph.constant(t));
  assertThrows(() => film(x!, matrix!, { start: 2 }), RangeError, "columns 2 to 10");
});
