import { Graph } from "../../autograd/graph.ts";
import { Capture } from "../../device/capture.ts";
import { sizeOf } from "../../device/tensor.ts";
import { fromPytorch, toPytorch } from "../../model/names/pytorch.ts";
import { kernelParameter } from "../../model/names/spatial.ts";
import { type Dims, double, halve, SpatialConv } from "../../model/spatial.ts";
import { type ConvNdCase, convNdReference, convNdShape } from "../reference/conv_nd.ts";
import { finiteDifference } from "../reference/finite_difference.ts";
import { assertAllClose, assertEquals } from "../support/assert.ts";
import { randomValues, testGpu, upload } from "../support/gpu.ts";
import { differentiate, operand } from "../support/gradients.ts";

const CASES = [
  { dims: 1, sides: [11], ci: 3, co: 4, kernel: 3 },
  { dims: 1, sides: [9], ci: 4, co: 5, kernel: 7 },
  { dims: 1, sides: [7], ci: 8, co: 8, kernel: 3, halve: true },
  { dims: 1, sides: [5], ci: 4, co: 2, kernel: 1 },
  { dims: 2, sides: [5, 3], ci: 3, co: 4, kernel: 3, halve: true },
  { dims: 3, sides: [3, 2, 3], ci: 2, co: 3, kernel: 3 },
  { dims: 3, sides: [1, 3, 2], ci: 4, co: 4, kernel: 3 },
  { dims: 3, sides: [2, 4, 3], ci: 4, co: 2, kernel: 3, halve: true },
  { dims: 3, sides: [2, 3, 1], ci: 3, co: 5, kernel: 1 },
] as const;

for (const given of CASES) {
  const { dims, sides, ci, co, kernel } = given;
  const halves = "halve" in given;
  Deno.test(`SpatialConv is the f64 convolution over ${dims} axes [${sides}], ${ci} to ${co} channels, kernel ${kernel}${halves ? ", halving" : ""}`, async () => {
    const gpu = await testGpu();
    const n = 2, [depth, height, width] = [1, 1, 1, ...sides].slice(-3) as [number, number, number];
    const layer = new SpatialConv(dims as Dims, ci, co, { kernel, halve: halves });
    const entry = kernelParameter(dims, "w", "w", layer.weight.shape);
    const weight = { shape: entry.pytorchShape, data: randomValues(sizeOf(entry.pytorchShape), 2) };
    const ours = fromPytorch(entry, weight);
    assertEquals(toPytorch(entry, ours), weight);
    const step = halves ? 2 : 1;
    const reference: ConvNdCase = {
      xShape: [n, ...sides, ci],
      weightShape: [co, ci, ...sides.map(() => kernel)],
      stride: [1, step, step].slice(-dims).map((s) => dims === 3 ? s : step),
      padding: sides.map(() => (kernel - 1) / 2),
    };
    assertEquals(entry.pytorchShape, reference.weightShape);
    const x = randomValues(n * sizeOf(sides) * ci, 1);
    const capture = new Capture(gpu, "test");
    const slots = new Map([
      [layer.weight, {
        value: upload(gpu, layer.weight.shape, ours),
        grad: gpu.tensor(layer.weight.shape),
      }],
      [layer.bias, { value: gpu.tensor([co]), grad: gpu.tensor([co]) }],
    ]);
    const graph = new Graph(capture, { parameters: slots });
    const input = graph.variable(upload(gpu, [n, depth * height, width, ci], x));
    const y = layer.forward(input, depth);
    const shape = convNdShape(reference);
    const dy = randomValues(sizeOf(shape), 3);
    const dx = graph.backward(y, upload(gpu, y.shape, dy)).get(input)!;
    capture.keep(y.ref);
    capture.keep(dx);
    const program = await capture.plan();
    program.run();
    const inputs = [x, weight.data];
    const f = ([x, w]: ArrayLike<number>[]) => convNdReference(reference, x!, w!);
    assertEquals(sizeOf(y.shape), sizeOf(shape));
    assertAllClose(await program.readF32(y.ref), f(inputs), { name: "y", atol: 1e-5 });
    assertAllClose(await program.readF32(dx), finiteDifference(f, inputs, 0, dy), {
      name: "dx",
      atol: 1e-5,
    });
    const dw = await gpu.readF32(slots.get(layer.weight)!.grad);
    assertAllClose(toPytorch(entry, dw).data, finiteDifference(f, inputs, 1, dy), {
      name: "dweight",
      atol: 2e-5,
    });
    program.destroy();
  });
}

for (const dims of [1, 2, 3] as const) {
  Deno.test(`halve() takes means and double() copies over ${dims} axes, slice by slice`, async () => {
    const gpu = await testGpu();
    const shape = dims === 1 ? [2, 1, 6, 3] : [2, 8, 2, 3]; // volumes: two slices of 4 x 2
    const [n = 0, height = 0, width = 0, c = 0] = shape;
    const tall = dims === 1 ? 1 : 2;
    const small = [n, height / tall, width / 2, c];
    const pooled = ([x]: ArrayLike<number>[]) => {
      const y = new Float64Array(sizeOf(small));
      for (let i = 0; i < sizeOf(shape); i++) {
        const channel = i % c, column = Math.floor(i / c) % width;
        const row = Math.floor(i / c / width);
        const at = (Math.floor(row / tall) * width / 2 + Math.floor(column / 2)) * c + channel;
        y[at]! += x![i]! / (2 * tall);
      }
      return y;
    };
    const x = operand(shape, 1), half = operand(small, 2);
    const down = await differentiate(gpu, [x], ([x]) => halve(x!, dims));
    assertEquals(down.shape, small);
    assertAllClose(down.y, pooled([x.values]));
    assertAllClose(down.grads[0]!, finiteDifference(pooled, [x.values], 0, down.dy), {
      atol: 2e-6,
    });
    const up = await differentiate(gpu, [half], ([x]) => double(x!, dims));
    assertEquals(up.shape, shape);
    // Copies are the transpose of sums.
    const copied = Array.from({ length: sizeOf(shape) }, (_, i) => {
      const channel = i % c, column = Math.floor(i / c) % width, row = Math.floor(i / c / width);
      const at = (Math.floor(row / tall) * width / 2 + Math.floor(column / 2)) * c + channel;
      return half.values[at]!;
    });
    assertAllClose(up.y, copied, { rtol: 0, atol: 0 });
    assertAllClose(up.grads[0]!, pooled([up.dy]).map((mean) => mean * 2 * tall), { atol: 2e-6 });
  });
}
