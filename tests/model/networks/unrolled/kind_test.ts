import { parseConfig } from "../../../../config/load.ts";
import { Graph } from "../../../../autograd/graph.ts";
import { Capture } from "../../../../device/capture.ts";
import { isEvaluation } from "../../../../diffusion/moves.ts";
import { makeProcess } from "../../../../diffusion/process.ts";
import { samplerMoves } from "../../../../diffusion/samplers/registry.ts";
import { stageTimesteps, UnrolledChain } from "../../../../model/networks/unrolled/chain.ts";
import { unrolledNames } from "../../../../model/networks/unrolled/names.ts";
import type { UnrolledOptions } from "../../../../model/networks/unrolled/options.ts";
import { namedParameters } from "../../../../model/module.ts";
import {
  createArena,
  initialValues,
  parameterSlots,
  writeArenas,
} from "../../../../model/parameters.ts";
import { UsageError } from "../../../../support/errors.ts";
import { networkSampler } from "../../../../training/network_sampler.ts";
import {
  assert,
  assertAllClose,
  assertEquals,
  assertRejects,
  assertThrows,
} from "../../../support/assert.ts";
import { randomValues, testGpu } from "../../../support/gpu.ts";
import { checkResumed } from "../../../support/network_runs.ts";

const MODEL = {
  ...{ name: "unrolled" as const, stages: 3, blocks: [1, 1], channels: [8, 4] },
  ...{ groups: 4, dropout: 0 },
};
const CONFIG = {
  data: { name: "synthetic", size: 4, synthetic: { kind: "shapes", channels: 1, count: 32 } },
  model: { ...MODEL, dropout: 0.1 },
  diffusion: {
    ...{ timesteps: 20, betaStart: 1e-3, betaEnd: 0.4, objective: "unrolled", clipX0: false },
    sampler: { name: "ddim", steps: 3, eta: 0, spacing: "truncated" },
  },
  train: { steps: 4, batchSize: 4, sampleEvery: 2, sampleCount: 4, evalEvery: 3, evalCount: 4 },
};

const parse = (changes: Partial<Record<keyof typeof CONFIG, Record<string, unknown>>> = {}) =>
  parseConfig(
    JSON.stringify(
      Object.fromEntries(
        Object.entries(CONFIG).map(([key, own]) => [
          key,
          { ...own, ...changes[key as keyof typeof CONFIG] },
        ]),
      ),
    ),
    { path: "test" },
  );

Deno.test("UnrolledChain trains, draws previews, validates and resumes to the same bytes", async () => {
  await checkResumed(parse());
});

Deno.test("Sampler asks each network of a chain at its level, and no other level", async () => {
  const gpu = await testGpu();
  // Some of the image stays at every level, so that none is clipped away.
  const { diffusion } = parse({ diffusion: { betaEnd: 0.05 } });
  const process = makeProcess(diffusion);
  const shape = { height: 4, width: 4, channels: 1, timesteps: 20 };
  const network = new UnrolledChain(MODEL as UnrolledOptions, shape);
  const weights = createArena(gpu, "weights", network);
  let seed = 1;
  writeArenas(
    gpu,
    [weights],
    new Map(
      Array.from(initialValues(network, 1), ([name, { length }]) => {
        return [name, randomValues(length, seed++, 0.1)] as const;
      }),
    ),
  );
  const size = { height: 4, width: 4, channels: 1 };
  const sampler = await networkSampler(gpu, { network, weights, process, size, batch: 2 });
  const moves = samplerMoves(process, diffusion.sampler).filter(isEvaluation);
  assertEquals(moves.map(({ timestep }) => timestep), [19, 9, 0]);
  let x = await sampler.startNoise([7, 8]);
  const found = [
    await sampler.sample(moves, [7, 8]),
    await sampler.sample(moves, [7, 8]), // from the last network's program back to the first's
  ];
  for (const [i, move] of moves.entries()) {
    const capture = new Capture(gpu, "test");
    const graph = new Graph(capture, { parameters: parameterSlots(network, weights) });
    const images = graph.constant(capture.input("x", [2, 4, 4, 1]));
    const level = capture.input("level", [2], "u32");
    const { ref } = network.forward(graph, { x: images, level, stage: 2 - i });
    capture.keep(ref);
    const program = await capture.plan();
    program.run({ x, level: [0, 0] });
    const f = await program.readF32(ref);
    program.destroy();
    x = x.map((value, k) => {
      const x0 = move.xToX0 * value + move.fToX0 * f[k]!;
      return move.fromX0 * x0 + move.fromX * value + move.fromF * f[k]!;
    });
  }
  const expected = x.map((value) => Math.max(-1, Math.min(1, value)));
  assert(new Set(expected).size > 8, "images must differ");
  for (const images of found) assertAllClose(images, expected, { rtol: 1e-4, atol: 1e-5 });
  await assertRejects(
    () => sampler.sample(samplerMoves(process, { name: "ddim", steps: 4 }), [1]),
    RangeError,
    "Cannot ask the chain about timestep 15: it must be one of its networks'",
  );
  sampler.destroy();
  weights.destroy(gpu);
});

Deno.test("UNROLLED refuses what no chain can be trained by", () => {
  const rules = [
    [{ diffusion: { objective: "denoising" } }, "diffusion.objective must be unrolled for model"],
    [{ diffusion: { target: "v" } }, "diffusion.target must be epsilon for objective unrolled"],
    [{ diffusion: { schedule: "karras" } }, "diffusion.schedule must be one of counted timesteps"],
    [{ diffusion: { sampler: { name: "ddim", steps: 4 } } }, "alone, got"],
    [{ model: { channels: [8] } }, "model.channels must have as many parts as model.blocks, 2"],
    [{ model: { groups: 3 } }, "model.groups must divide all of model.channels, 8, 4"],
    [{ model: { stages: 21 } }, "diffusion.timesteps must be at least model.stages, 21"],
  ] as const;
  for (const [changes, message] of rules) assertThrows(() => parse(changes), UsageError, message);
});

Deno.test("stageTimesteps() and the parts of the source's config", () => {
  const timesteps = stageTimesteps(100, 1000);
  assertEquals([...timesteps.slice(0, 3), timesteps.at(-1)], [0, 10, 20, 999]);
  const options = { ...MODEL, stages: 5, blocks: [4, 3, 2, 1], channels: [64, 48, 32, 16] };
  const { nets } = new UnrolledChain(
    { ...options, groups: null } as UnrolledOptions,
    { height: 4, width: 4, channels: 3, timesteps: 1000 },
  );
  assertEquals(nets.map(({ down }) => down.length), [4, 4, 3, 2, 1]);
  assertEquals(nets.map(({ norm }) => norm.groups), [32, 32, 48, 32, 16]);
});

Deno.test("unrolledNames() names every parameter once, as the source does", () => {
  const shape = { height: 4, width: 4, channels: 1, timesteps: 20 };
  const network = new UnrolledChain(MODEL as UnrolledOptions, shape);
  const entries = unrolledNames(network);
  const named = entries.flatMap((entry) => entry.kind === "parameter" ? [entry.name] : []);
  assertEquals(named.toSorted(), Array.from(namedParameters(network), ([name]) => name).toSorted());
  const theirs = new Map(
    entries.map(({ pytorchName, pytorchShape }) => [pytorchName, pytorchShape]),
  );
  assertEquals(theirs.size, entries.length);
  assertEquals(theirs.get("net.0.noise_pred.upblocks.1.shortcut.weight"), [8, 16, 1, 1]);
  assertEquals(theirs.get("net.2.noise_pred.middleblocks.0.attn.proj_q.weight"), [4, 4, 1, 1]);
  assertEquals(theirs.get("alphas_bar"), [3]);
});
