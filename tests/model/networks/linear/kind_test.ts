import { Graph } from "../../../../autograd/graph.ts";
import { Capture } from "../../../../device/capture.ts";
import type { LinearDenoiser } from "../../../../model/networks/linear/kind.ts";
import { createNetwork, networkMisfit } from "../../../../model/networks/registry.ts";
import {
  createArena,
  initialValues,
  parameterSlots,
  writeArenas,
} from "../../../../model/parameters.ts";
import { UsageError } from "../../../../support/errors.ts";
import { assert, assertAllClose, assertEquals, assertThrows } from "../../../support/assert.ts";
import { randomValues, testGpu } from "../../../support/gpu.ts";
import { checkResumed, smallRun } from "../../../support/network_runs.ts";

const SHAPE = { height: 2, width: 3, channels: 1, timesteps: 10 };

Deno.test("LINEAR applies the matrix of a timestep's bin to the whole image", async () => {
  const gpu = await testGpu();
  const network = createNetwork({ name: "linear", bins: 3, initialDeviation: 0 }, SHAPE);
  const weight = randomValues(3 * 36, 1), bias = randomValues(18, 2), x = randomValues(18, 3);
  const arena = createArena(gpu, "weights", network);
  writeArenas(gpu, [arena], [["weight", weight], ["bias", bias]]);
  const capture = new Capture(gpu, "test");
  const graph = new Graph(capture, { parameters: parameterSlots(network, arena) });
  const level = capture.input("t", [3], "u32");
  const y = network.forward(graph, { x: graph.constant(capture.input("x", [3, 2, 3, 1])), level });
  assertEquals(y.shape, [3, 2, 3, 1]);
  capture.keep(y.ref);
  const program = await capture.plan();
  // Bins of timesteps 0 to 3, 4 to 6 and 7 to 9.
  program.run({ x, t: [3, 4, 9] });
  const expected = Array.from({ length: 18 }, (_, at) => {
    const n = Math.floor(at / 6), j = at % 6;
    let sum = bias[6 * n + j]!;
    for (let i = 0; i < 6; i++) sum += x[6 * n + i]! * weight[36 * n + 6 * i + j]!;
    return sum;
  });
  assertAllClose(await program.readF32(y.ref), expected, { rtol: 1e-5, atol: 1e-5 });
  program.destroy();
  arena.destroy(gpu);
});

Deno.test("LINEAR begins at zero, or with the deviation that is asked for", () => {
  const first = (initialDeviation: number) => {
    const network = createNetwork({ name: "linear", bins: 5, initialDeviation }, {
      ...{ ...SHAPE, height: 16, width: 8 },
    }) as LinearDenoiser;
    const [[, weight], [, bias]] = [...initialValues(network, 1)] as never as [
      [string, Float32Array],
      [string, Float32Array],
    ];
    assert(bias.every((value) => value === 0));
    return weight;
  };
  assert(first(0).every((value) => value === 0));
  const drawn = first(0.01);
  const deviation = Math.sqrt(drawn.reduce((sum, v) => sum + v * v, 0) / drawn.length);
  assertAllClose([deviation], [0.01], { rtol: 0.02 });
});

Deno.test("LINEAR trains on images that are no square, and goes on to the same bytes", async () => {
  const { said } = await checkResumed(smallRun({ name: "linear", bins: 4 }, { size: [8, 4] }));
  assert(said.includes("network   linear, 4,224 parameters"), said);
});

Deno.test("LINEAR refuses more bins than timesteps", () => {
  const misfit = networkMisfit({ name: "linear", bins: 11, initialDeviation: 0 }, SHAPE);
  assertEquals(misfit?.key, "timesteps");
  assertThrows(
    () => smallRun({ name: "linear", bins: 21 }),
    UsageError,
    "diffusion.timesteps must be at least model.bins, 21",
  );
});
