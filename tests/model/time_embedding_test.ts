import { Graph, type ParameterSlot } from "../../autograd/graph.ts";
import type { Parameter } from "../../autograd/parameter.ts";
import { Capture } from "../../device/capture.ts";
import { namedParameters } from "../../model/module.ts";
import { createArena, parameterSlots, writeArenas } from "../../model/parameters.ts";
import { sinusoidTable, TimeEmbedding } from "../../model/time_embedding.ts";
import { assert, assertAllClose, assertEquals } from "../support/assert.ts";
import { randomValues, testGpu, upload } from "../support/gpu.ts";

Deno.test("sinusoidTable() interleaves sine and cosine of falling frequencies", () => {
  const table = sinusoidTable(1000, 32);
  assertEquals(table.length, 32000);
  assertEquals([...table.slice(0, 4)], [0, 1, 0, 1]);
  for (const t of [1, 7, 613, 999]) {
    const row = [];
    for (let i = 0; i < 16; i++) {
      const angle = t / 10000 ** (i / 16);
      row.push(Math.sin(angle), Math.cos(angle));
    }
    assertAllClose(table.slice(32 * t, 32 * (t + 1)), row, { rtol: 0, atol: 6e-8 });
  }
});

/** The table as PyTorch computes it, every step rounded to f32. */
function roundedTable(timesteps: number, channels: number): Float32Array<ArrayBuffer> {
  const table = new Float32Array(timesteps * channels);
  for (let i = 0; i < channels / 2; i++) {
    const exponent = Math.fround(Math.fround(-2 * i / channels) * Math.fround(Math.log(10000)));
    const frequency = Math.fround(Math.exp(exponent));
    for (let t = 0; t < timesteps; t++) {
      const angle = Math.fround(t * frequency);
      table[t * channels + 2 * i] = Math.sin(angle);
      table[t * channels + 2 * i + 1] = Math.cos(angle);
    }
  }
  return table;
}

Deno.test("TimeEmbedding.table takes the place of the exact one, down to the gradient of the first layer", async () => {
  const [channels, outputs, timesteps] = [64, 256, [349, 329, 520]];
  const gpu = await testGpu();
  const network = new TimeEmbedding(1000, channels, outputs);
  const values = new Map([
    ["first.weight", randomValues(channels * outputs, 1, 0.1)],
    ["first.bias", randomValues(outputs, 2, 0.1)],
    ["second.weight", randomValues(outputs * outputs, 3, 0.1)],
    ["second.bias", randomValues(outputs, 4, 0.1)],
  ]);
  const weights = createArena(gpu, "weights", network);
  const grads = createArena(gpu, "gradients", network);
  writeArenas(gpu, [weights], values);
  const dy = randomValues(3 * outputs, 5);
  const gradient = async (table?: Float32Array<ArrayBuffer>) => {
    network.table = table;
    const capture = new Capture(gpu, "time embedding");
    const graph = new Graph(capture, { parameters: parameterSlots(network, weights, grads) });
    const y = network.forward(graph, upload(gpu, [3], timesteps, "u32"));
    graph.backward(y, upload(gpu, y.shape, dy));
    const program = await capture.plan();
    program.run();
    program.destroy();
    return await gpu.readF32(grads.get("first.weight"));
  };

  const rounded = roundedTable(1000, channels);
  for (const table of [rounded, undefined]) {
    const rows = table ?? sinusoidTable(1000, channels);
    const [first, bias, second] = ["first.weight", "first.bias", "second.weight"]
      .map((name) => values.get(name)!);
    // Row n of the table, x; then d = silu'(x first + bias) (dy second^T), and the gradient x^T d.
    const expected = new Float64Array(channels * outputs);
    timesteps.forEach((t, n) => {
      const x = rows.subarray(t * channels, (t + 1) * channels);
      for (let j = 0; j < outputs; j++) {
        let z = bias![j]!, d = 0;
        for (let i = 0; i < channels; i++) z += x[i]! * first![i * outputs + j]!;
        for (let k = 0; k < outputs; k++) d += dy[n * outputs + k]! * second![j * outputs + k]!;
        const s = 1 / (1 + Math.exp(-z));
        d *= s * (1 + z * (1 - s));
        for (let i = 0; i < channels; i++) expected[i * outputs + j]! += x[i]! * d;
      }
    });
    const scale = Math.max(...expected.map(Math.abs));
    const own = await gradient(table);
    assertAllClose(own, expected, { rtol: 0, atol: 8 * 2 ** -23 * scale });
    // Each table is much farther from the other's gradient than round-off.
    const other = await gradient(table ? undefined : rounded);
    const far = Math.max(...other.map((value, i) => Math.abs(value - expected[i]!)));
    assert(far > 20 * 2 ** -23 * scale, `${far} of ${scale}`);
  }
  for (const arena of [weights, grads]) arena.destroy(gpu);
});

Deno.test("TimeEmbedding leaves nothing on the device when its programs are gone", async () => {
  const gpu = await testGpu();
  const embedding = new TimeEmbedding(100, 32, 8);
  const parameters = new Map<Parameter, ParameterSlot>();
  for (const [, parameter] of namedParameters(embedding)) {
    parameters.set(parameter, { value: gpu.tensor(parameter.shape) });
  }
  const before = gpu.counters.bufferBytes;
  for (let round = 0; round < 2; round++) {
    const capture = new Capture(gpu, "test");
    const random = capture.input("key", [4], "u32");
    const graph = new Graph(capture, { parameters, training: false, random });
    capture.keep(embedding.forward(graph, capture.input("timesteps", [4], "u32")).ref);
    const program = await capture.plan();
    assert(gpu.counters.bufferBytes >= before + 4 * 100 * 32);
    program.destroy();
    assertEquals(gpu.counters.bufferBytes, before);
  }
});
