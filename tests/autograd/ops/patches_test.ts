import { columns } from "../../../autograd/ops/columns.ts";
import { add } from "../../../autograd/ops/add.ts";
import { patchify, unpatchify } from "../../../autograd/ops/patches.ts";
import { Capture } from "../../../device/capture.ts";
import { Graph } from "../../../autograd/graph.ts";
import { assertAllClose, assertEquals, assertThrows } from "../../support/assert.ts";
import { testGpu } from "../../support/gpu.ts";
import { differentiate, operand } from "../../support/gradients.ts";

/** Where each element of `[n, h, w, c]` is among patches of side p. */
function places([n, h, w, c]: readonly [number, number, number, number], p: number): number[] {
  const all: number[] = [];
  for (let i = 0; i < n; i++) {
    for (let y = 0; y < h; y++) {
      for (let x = 0; x < w; x++) {
        for (let k = 0; k < c; k++) {
          const patch = (i * h / p + Math.floor(y / p)) * w / p + Math.floor(x / p);
          all.push(patch * p * p * c + (y % p * p + x % p) * c + k);
        }
      }
    }
  }
  return all;
}

for (
  const [shape, p] of [
    [[2, 4, 6, 3], 2],
    [[1, 9, 3, 4], 3],
    [[3, 2, 2, 1], 1],
    [[2, 8, 4, 8], 4],
  ] as const
) {
  Deno.test(`patchify() cuts [${shape}] into patches of ${p}, and unpatchify() lays them again`, async () => {
    const gpu = await testGpu();
    const at = places(shape, p);
    const images = operand(shape, 1);
    const cut = await differentiate(gpu, [images], ([x]) => patchify(x!, p));
    assertEquals(cut.shape, [shape[0], shape[1] / p, shape[2] / p, p * p * shape[3]]);
    assertAllClose(Array.from(at, (i) => cut.y[i]!), images.values, { rtol: 0, atol: 0 });
    assertAllClose(cut.grads[0]!, Array.from(at, (i) => cut.dy[i]!), { rtol: 0, atol: 0 });
    const patches = operand(cut.shape, 2);
    const laid = await differentiate(gpu, [patches], ([x]) => unpatchify(x!, p));
    assertEquals(laid.shape, [...shape]);
    assertAllClose(laid.y, Array.from(at, (i) => patches.values[i]!), { rtol: 0, atol: 0 });
    assertAllClose(Array.from(at, (i) => laid.grads[0]![i]!), laid.dy, { rtol: 0, atol: 0 });
  });
}

Deno.test("patchify() and unpatchify() refuse what patches do not divide", async () => {
  const gpu = await testGpu();
  const graph = new Graph(new Capture(gpu, "test"));
  const x = graph.constant(gpu.tensor([1, 4, 6, 3]));
  assertThrows(() => patchify(x, 4), RangeError, "sides that are multiples of 4, got [1, 4, 6, 3]");
  assertThrows(() => unpatchify(x, 2), RangeError, "C a multiple of 4, got [1, 4, 6, 3]");
});

for (const [length, start, width] of [[12, 4, 8], [7, 2, 3], [8, 0, 8]] as const) {
  Deno.test(`columns() takes ${width} of ${length} from ${start} on, and adds their gradients`, async () => {
    const x = operand([5, length], 1);
    const { y, dy, grads } = await differentiate(
      await testGpu(),
      [x],
      ([x]) => add(columns(x!, start, width), columns(x!, 0, width)),
    );
    const dx = new Float64Array(5 * length), expected = new Float64Array(5 * width);
    for (let i = 0; i < 5 * width; i++) {
      const row = Math.floor(i / width) * length;
      for (const at of [row + start + i % width, row + i % width]) {
        expected[i]! += x.values[at]!;
        dx[at]! += dy[i]!;
      }
    }
    assertAllClose(y, expected);
    assertAllClose(grads[0]!, dx);
  });
}

Deno.test("columns() refuses a window that leaves the last axis", async () => {
  const gpu = await testGpu();
  const x = new Graph(new Capture(gpu, "test")).constant(gpu.tensor([2, 6]));
  assertThrows(() => columns(x, 4, 3), RangeError, "Cannot take columns 4 to 7");
});
