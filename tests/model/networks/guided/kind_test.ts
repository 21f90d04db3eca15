import { parseConfig } from "../../../../config/load.ts";
import { toF32 } from "../../../../commands/shared/checkpoints/floats.ts";
import { budgetOf } from "../../../../commands/verify/golden.ts";
import { fromTorch, IMAGE, toTorch } from "../../../../commands/verify/layout.ts";
import { Graph } from "../../../../autograd/graph.ts";
import { mseLoss } from "../../../../autograd/ops/losses.ts";
import { Capture } from "../../../../device/capture.ts";
import { readSafetensors } from "../../../../formats/safetensors.ts";
import { namedParameters } from "../../../../model/module.ts";
import { fromPytorch, toPytorch } from "../../../../model/names/pytorch.ts";
import { guidedNames } from "../../../../model/networks/guided/names/guided_diffusion.ts";
import { guidedOptions } from "../../../../model/networks/guided/names/options.ts";
import type { GuidedOptions } from "../../../../model/networks/guided/options.ts";
import { GuidedUNet } from "../../../../model/networks/guided/unet.ts";
import { createNetwork } from "../../../../model/networks/registry.ts";
import {
  createArena,
  initialValues,
  parameterSlots,
  writeArenas,
} from "../../../../model/parameters.ts";
import { UsageError } from "../../../../support/errors.ts";
import { assert, assertEquals, assertThrows } from "../../../support/assert.ts";
import { inFolder } from "../../../support/folder.ts";
import { randomTensor, testGpu, upload } from "../../../support/gpu.ts";
import { trainInFolder } from "../../../support/runs.ts";

/** Numbers of GenerativeZoo under PyTorch; cut_diffusers.py made the files. */
const GOLDEN = new URL("../../../golden/guided/class-conditional", import.meta.url);

const refuse = (reason: string): never => {
  throw new RangeError(reason);
};

Deno.test("guided computes what GenerativeZoo's UNetModel computes, and its gradients", async () => {
  const gpu = await testGpu();
  const facts = JSON.parse(await Deno.readTextFile(new URL(`${GOLDEN}.json`)));
  const { tensors } = readSafetensors(await Deno.readFile(new URL(`${GOLDEN}.safetensors`)));
  const found = guidedOptions(facts.config, refuse);
  const network = new GuidedUNet(found.options, { ...found.shape, timesteps: 1000 });
  const entries = guidedNames(network);
  const values = entries.map((entry) => {
    assert(entry.kind === "parameter");
    const tensor = tensors.get(`param/${entry.pytorchName}`)!;
    return [entry.name, fromPytorch(entry, { shape: tensor.shape, data: toF32(tensor) })] as const;
  });
  const f32 = (name: string) => ({
    data: toF32(tensors.get(name)!),
    shape: tensors.get(name)!.shape,
  });
  const indices = (name: string) => {
    const { data, shape } = tensors.get(name)!;
    return upload(gpu, shape, Array.from(data as BigInt64Array, Number), "u32");
  };
  const weights = createArena(gpu, "weights", network), grads = createArena(gpu, "grads", network);
  writeArenas(gpu, [weights], values);
  const capture = new Capture(gpu, "test");
  const graph = new Graph(capture, { parameters: parameterSlots(network, weights, grads) });
  const image = (name: string) => {
    const { data, shape } = fromTorch(f32(name), IMAGE);
    return graph.constant(upload(gpu, shape, data));
  };
  const out = network.forward(graph, {
    x: image("x"),
    level: indices("t"),
    labels: indices("y"),
  });
  graph.backward(mseLoss(out, image("target")));
  capture.keep(out.ref);
  const program = await capture.plan();
  program.run();
  const distance = (actual: ArrayLike<number>, expected: ArrayLike<number>) =>
    Array.from(expected, (value, i) => Math.abs(actual[i]! - value))
      .reduce((most, error) => error <= most ? most : error, 0);
  const [e, s] = facts.out as [number, number];
  const y = toTorch(await program.readF32(out.ref), f32("out").shape, IMAGE);
  assert(distance(y, f32("out").data) <= budgetOf(e, s));
  for (const entry of entries) {
    if (entry.kind !== "parameter" || facts.zero.includes(entry.pytorchName)) continue;
    const own = toPytorch(entry, await gpu.readF32(grads.get(entry.name))).data;
    const [error, scale] = facts.grads[entry.pytorchName] as [number, number];
    const worst = distance(own, f32(`grad/${entry.pytorchName}`).data);
    assert(worst <= budgetOf(error, scale), `${entry.pytorchName} ${worst}`);
  }
  program.destroy();
  weights.destroy(gpu);
  grads.destroy(gpu);
});

const SMALL = {
  name: "guided",
  channels: 8,
  channelMultipliers: [1, 1.5],
  attentionFactors: [2],
  blocks: 1,
  groups: 2,
  headChannels: 4,
} as const;

const CONFIG = {
  data: { name: "synthetic", size: 8, synthetic: { kind: "shapes", channels: 1, count: 32 } },
  model: SMALL,
  diffusion: { timesteps: 20, sampler: { name: "ddim", steps: 2 } },
  train: { steps: 3, batchSize: 4, sampleCount: 4, evalEvery: 3, evalCount: 4, logEvery: 1 },
};

const parse = (model: Record<string, unknown>) =>
  parseConfig(JSON.stringify({ ...CONFIG, model: { ...CONFIG.model, ...model } }), {
    path: "test",
  });

const VARIETIES: readonly Record<string, unknown>[] = [
  {},
  { dims: 1, convResample: false },
  { dims: 3, blockResample: true, classes: 3 },
  { dims: 3, scaleShift: true, learnedVariance: true },
  { headChannels: null, heads: 2, qkvOrder: "all-queries-first", blocks: 2 },
  { headChannels: null, heads: 1, headsUp: 4 },
];

for (const variety of VARIETIES) {
  Deno.test(`guidedNames() names every parameter once and keeps its values, for ${JSON.stringify(variety)}`, () => {
    const options = { ...parse({}).model, ...variety } as GuidedOptions;
    const network = createNetwork(options, {
      height: variety.dims === 1 ? 1 : 8,
      width: 8,
      depth: variety.dims === 3 ? 2 : 1,
      channels: 3,
      timesteps: 10,
    }) as GuidedUNet;
    const entries = guidedNames(network);
    const names = entries.flatMap((entry) => entry.kind === "parameter" ? [entry.name] : []);
    assertEquals(names.toSorted(), [...namedParameters(network)].map(([name]) => name).sort());
    assertEquals(new Set(entries.map((entry) => entry.pytorchName)).size, entries.length);
    const values = new Map(initialValues(network, 1));
    for (const entry of entries) {
      if (entry.kind !== "parameter") continue;
      const there = toPytorch(entry, values.get(entry.name)!);
      assertEquals(fromPytorch(entry, there), values.get(entry.name), entry.name);
    }
  });
}

Deno.test("GuidedUNet takes signals and volumes with their own axes, or laid out as images, to the same bits", async () => {
  const gpu = await testGpu();
  for (const [dims, axes, laidOut] of [[1, [8], [1, 8]], [3, [3, 4, 2], [12, 2]]] as const) {
    for (const scaleShift of dims === 3 ? [false, true] : [false]) {
      const options = { ...parse({}).model, scaleShift, dims } as GuidedOptions;
      const network = new GuidedUNet(options, {
        channels: 2,
        timesteps: 10,
        depth: dims === 3 ? 3 : 1,
      });
      const weights = createArena(gpu, "weights", network);
      // Not zero, as the last layers begin.
      const values = Array.from(
        namedParameters(network),
        ([name, p], i) =>
          [
            name,
            Float32Array.from({ length: p.shape.reduce((a, b) => a * b, 1) }, (_, j) =>
              Math.sin(i + j)),
          ] as const,
      );
      writeArenas(gpu, [weights], values);
      const x = randomTensor(gpu, [2, ...axes, 2]);
      const run = async (shape: readonly number[]) => {
        const capture = new Capture(gpu, "test");
        const graph = new Graph(capture, { parameters: parameterSlots(network, weights) });
        const level = upload(gpu, [2], [3, 9], "u32");
        const y = network.forward(graph, { x: graph.constant({ ...x, shape }), level });
        assertEquals(y.shape, shape);
        capture.keep(y.ref);
        const program = await capture.plan();
        program.run();
        const found = await program.readF32(y.ref);
        program.destroy();
        return found;
      };
      const own = await run([2, ...axes, 2]);
      assertEquals(await run([2, ...laidOut, 2]), own);
      assert(own.every(Number.isFinite) && own.some((v) => Math.abs(v) > 1e-3));
      weights.destroy(gpu);
    }
  }
});

for (const model of [{ classes: 6, scaleShift: true, dropout: 0.2 }, { learnedVariance: true }]) {
  Deno.test(`guided trains from a config and goes on, with ${JSON.stringify(model)}`, () =>
    inFolder(async (folder) => {
      const first = await trainInFolder(parse(model), folder, { stopAfter: 2 });
      assertEquals([first.step, first.finished], [2, false]);
      const { step, finished } = await trainInFolder(parse(model), folder, { resume: true });
      assertEquals([step, finished], [3, true]);
    }));
}

Deno.test("guided refuses groups and heads that don't divide its widths, and data of other axes", () => {
  const refused = (model: Record<string, unknown>, message: string) =>
    assertThrows(() => parse(model), UsageError, message);
  refused({ groups: 5 }, "model.groups must divide the width of every level, 8 of model.channels");
  refused({ headChannels: 8 }, "model.headChannels must divide the width of every level with");
  refused({ headChannels: null, heads: 5 }, "model.heads must divide the width");
  refused({ headChannels: null, heads: 4, headsUp: 5 }, "model.headsUp must divide the width");
  refused({ channels: 7, groups: 1 }, "model.channels must be even");
  refused({ dims: 4 }, "model.dims must be 1 or 2 or 3");
  refused({ dims: 1 }, "be that of signals, as model.dims is 1");
});
