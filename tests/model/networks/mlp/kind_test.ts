import { Graph } from "../../../../autograd/graph.ts";
import { Capture } from "../../../../device/capture.ts";
import { Mlp } from "../../../../model/networks/mlp/kind.ts";
import { createArena, parameterSlots, writeArenas } from "../../../../model/parameters.ts";
import { initialValues } from "../../../../model/parameters.ts";
import { UsageError } from "../../../../support/errors.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../../../support/assert.ts";
import { randomValues, testGpu } from "../../../support/gpu.ts";
import { checkResumed, smallRun } from "../../../support/network_runs.ts";

const SHAPE = { height: 3, width: 2, channels: 1, timesteps: 10 };
const OPTIONS = {
  ...{ name: "mlp", width: 8, depth: 2, residual: true, timeChannels: 4 } as const,
  ...{ classes: 0, labelDropout: 0 },
};

/** Weights by name, and the network's answer for two images. */
async function evaluated(residual: boolean, x: Float32Array, t: readonly number[]) {
  const gpu = await testGpu();
  const network = new Mlp({ ...OPTIONS, residual }, SHAPE);
  const arena = createArena(gpu, "weights", network);
  let seed = 1;
  // Nothing may stay zero, as some start.
  const values = new Map(
    Array.from(initialValues(network, 1), ([name, { length }]) => {
      return [name, randomValues(length, seed++, 0.4)] as const;
    }),
  );
  writeArenas(gpu, [arena], values);
  const capture = new Capture(gpu, "test");
  const graph = new Graph(capture, { parameters: parameterSlots(network, arena) });
  const y = network.forward(graph, {
    x: graph.constant(capture.input("x", [2, 3, 2, 1])),
    level: capture.input("t", [2], "u32"),
  });
  capture.keep(y.ref);
  const program = await capture.plan();
  program.run({ x, t });
  const result = await program.readF32(y.ref);
  program.destroy();
  arena.destroy(gpu);
  return { values, result, network };
}

for (const residual of [true, false]) {
  Deno.test(`Mlp.forward() with${residual ? "" : "out"} shortcuts is the layers' formula in f64`, async () => {
    const x = randomValues(12, 9), t = [0, 7];
    const { values, result } = await evaluated(residual, x, t);
    const silu = (v: readonly number[]) => v.map((a) => a / (1 + Math.exp(-a)));
    const layer = (name: string, v: readonly number[]) => {
      const weight = values.get(`${name}.weight`)!, bias = values.get(`${name}.bias`)!;
      return Array.from(
        bias,
        (b, j) => v.reduce((sum, a, i) => sum + a * weight[i * bias.length + j]!, b),
      );
    };
    const expected = t.flatMap((time, n) => {
      const sinusoids = [1, 1e-2].flatMap((w) => [Math.sin(time * w), Math.cos(time * w)]);
      const embedding = layer(
        "timeEmbedding.second",
        silu(layer("timeEmbedding.first", sinusoids)),
      );
      let h = layer("first", Array.from(x.subarray(6 * n, 6 * n + 6)));
      for (const i of [0, 1]) {
        const told = layer(`layers.${i}.condition`, silu(embedding));
        const inside = silu(layer(`layers.${i}.hidden`, h).map((a, j) => a + told[j]!));
        h = residual ? layer(`layers.${i}.output`, inside).map((a, j) => a + h[j]!) : inside;
      }
      return layer("last", h);
    });
    assertAllClose(result, expected, { rtol: 1e-5, atol: 1e-5 });
  });
}

Deno.test("MLP trains on images that are no square, with their classes, and goes on to the same bytes", async () => {
  const model = { name: "mlp", width: 12, depth: 2, classes: 6, labelDropout: 0.2 };
  const { said } = await checkResumed(smallRun(model, { size: [8, 4] }));
  // Sinusoids and time, six classes and none, the image, two blocks, the image.
  const count = 65 * 12 + 13 * 12 + 7 * 12 + 33 * 12 + 2 * 3 * 13 * 12 + 13 * 32;
  assert(said.includes(`network   mlp, ${count.toLocaleString("en")} parameters`), said);
});

Deno.test("MLP refuses classes that are withheld and not there, and half a pair of sinusoids", () => {
  for (
    const [model, message] of [
      [{ labelDropout: 0.1 }, "model.labelDropout must be 0 where model.classes is 0"],
      [{ timeChannels: 3 }, "model.timeChannels must be even"],
    ] as const
  ) {
    assertThrows(() => smallRun({ name: "mlp", ...model }), UsageError, message);
  }
  assertEquals(smallRun({ name: "mlp" }).model.name, "mlp");
});
