import { Graph, type ParameterSlot } from "../../autograd/graph.ts";
import type { Parameter } from "../../autograd/parameter.ts";
import { Capture } from "../../device/capture.ts";
import { namedParameters } from "../../model/module.ts";
import { sinusoidTable, TimeEmbedding } from "../../model/time_embedding.ts";
import { assert, assertAllClose, assertEquals } from "../support/assert.ts";
import { testGpu } from "../support/gpu.ts";

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
